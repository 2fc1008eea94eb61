// libhdf5, loaded when it is first needed: include this in place of <hdf5.h>.
#pragma once

#include <hdf5.h>

#include "base/lazy_library.h"

namespace fewbits {

// Before the first call of it.
inline Status load_hdf5();

#ifdef FEWBITS_HDF5

inline const LazyLibrary& hdf5_library() {
  static const LazyLibrary library(FEWBITS_HDF5);
  return library;
}
inline Status load_hdf5() { return hdf5_library().load(); }

#define H5Aclose FB_LAZY(::fewbits::hdf5_library(), H5Aclose)
#define H5Aexists_by_name FB_LAZY(::fewbits::hdf5_library(), H5Aexists_by_name)
#define H5Aget_space FB_LAZY(::fewbits::hdf5_library(), H5Aget_space)
#define H5Aget_type FB_LAZY(::fewbits::hdf5_library(), H5Aget_type)
#define H5Aopen_by_name FB_LAZY(::fewbits::hdf5_library(), H5Aopen_by_name)
#define H5Aread FB_LAZY(::fewbits::hdf5_library(), H5Aread)
#define H5Dclose FB_LAZY(::fewbits::hdf5_library(), H5Dclose)
#define H5Dget_create_plist FB_LAZY(::fewbits::hdf5_library(), H5Dget_create_plist)
#define H5Dget_space FB_LAZY(::fewbits::hdf5_library(), H5Dget_space)
#define H5Dget_storage_size FB_LAZY(::fewbits::hdf5_library(), H5Dget_storage_size)
#define H5Dget_type FB_LAZY(::fewbits::hdf5_library(), H5Dget_type)
#define H5Dopen2 FB_LAZY(::fewbits::hdf5_library(), H5Dopen2)
#define H5Dread FB_LAZY(::fewbits::hdf5_library(), H5Dread)
#define H5Dvlen_reclaim FB_LAZY(::fewbits::hdf5_library(), H5Dvlen_reclaim)
#define H5Eset_auto2 FB_LAZY(::fewbits::hdf5_library(), H5Eset_auto2)
#define H5Fclose FB_LAZY(::fewbits::hdf5_library(), H5Fclose)
#define H5Fget_filesize FB_LAZY(::fewbits::hdf5_library(), H5Fget_filesize)
#define H5Fopen FB_LAZY(::fewbits::hdf5_library(), H5Fopen)
#define H5Lexists FB_LAZY(::fewbits::hdf5_library(), H5Lexists)
#define H5Lget_info FB_LAZY(::fewbits::hdf5_library(), H5Lget_info)
#define H5P_CLS_FILE_ACCESS_ID_g (*FB_LAZY(::fewbits::hdf5_library(), H5P_CLS_FILE_ACCESS_ID_g))
#define H5Pclose FB_LAZY(::fewbits::hdf5_library(), H5Pclose)
#define H5Pcreate FB_LAZY(::fewbits::hdf5_library(), H5Pcreate)
#define H5Pget_external_count FB_LAZY(::fewbits::hdf5_library(), H5Pget_external_count)
#define H5Pget_layout FB_LAZY(::fewbits::hdf5_library(), H5Pget_layout)
#define H5Pget_mdc_config FB_LAZY(::fewbits::hdf5_library(), H5Pget_mdc_config)
#define H5Pset_fapl_core FB_LAZY(::fewbits::hdf5_library(), H5Pset_fapl_core)
#define H5Pset_file_image FB_LAZY(::fewbits::hdf5_library(), H5Pset_file_image)
#define H5Pset_file_image_callbacks FB_LAZY(::fewbits::hdf5_library(), H5Pset_file_image_callbacks)
#define H5Pset_mdc_config FB_LAZY(::fewbits::hdf5_library(), H5Pset_mdc_config)
#define H5Sclose FB_LAZY(::fewbits::hdf5_library(), H5Sclose)
#define H5Sget_simple_extent_dims FB_LAZY(::fewbits::hdf5_library(), H5Sget_simple_extent_dims)
#define H5Sget_simple_extent_ndims FB_LAZY(::fewbits::hdf5_library(), H5Sget_simple_extent_ndims)
#define H5Sget_simple_extent_npoints FB_LAZY(::fewbits::hdf5_library(), H5Sget_simple_extent_npoints)
#define H5T_C_S1_g (*FB_LAZY(::fewbits::hdf5_library(), H5T_C_S1_g))
#define H5T_NATIVE_FLOAT_g (*FB_LAZY(::fewbits::hdf5_library(), H5T_NATIVE_FLOAT_g))
#define H5Tclose FB_LAZY(::fewbits::hdf5_library(), H5Tclose)
#define H5Tcopy FB_LAZY(::fewbits::hdf5_library(), H5Tcopy)
#define H5Tget_class FB_LAZY(::fewbits::hdf5_library(), H5Tget_class)
#define H5Tget_cset FB_LAZY(::fewbits::hdf5_library(), H5Tget_cset)
#define H5Tget_size FB_LAZY(::fewbits::hdf5_library(), H5Tget_size)
#define H5Tis_variable_str FB_LAZY(::fewbits::hdf5_library(), H5Tis_variable_str)
#define H5Tset_cset FB_LAZY(::fewbits::hdf5_library(), H5Tset_cset)
#define H5Tset_size FB_LAZY(::fewbits::hdf5_library(), H5Tset_size)
#define H5check_version FB_LAZY(::fewbits::hdf5_library(), H5check_version)
#define H5open FB_LAZY(::fewbits::hdf5_library(), H5open)
#define H5set_free_list_limits FB_LAZY(::fewbits::hdf5_library(), H5set_free_list_limits)

#else

inline Status load_hdf5() { return {}; }

#endif

}  // namespace fewbits

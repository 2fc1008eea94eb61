# A header's plain comments as Doxygen's: the first one is the file's, those behind something are that thing's, headings stay.
1s|^// |/// @file\n/// |
1s|^/[*] |/** @file\n|
/^ *(\/\/|\/[*]) ----/b
# Lines that are set in keep their shape: a code block, which begins behind an empty line.
s|^( *)(// [^ ].*:)$|\1/\2\n\1///|
s|^( *)//(   +[^ ])|\1///    \2|
s|^( *)//( [^ ].*)?$|\1///\2|
s|([;,{}]) *// |\1  ///< |
s|^( *)/[*] |\1/** |
s|([A-Za-z0-9_,;{}]) +/[*] |\1 /**< |

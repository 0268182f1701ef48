/* vhdkit: the public header in C++.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <vhdkit.h>
#include <vhdkit.h>

extern "C" int
compile_header (vhdkit_disk *disk)
{
  struct vhdkit_open_options options = vhdkit_open_options ();

  options.struct_size = sizeof options;
  return options.nr_parents == 0 && vhdkit_size (disk) > 0;
}

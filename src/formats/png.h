/* png.h - pictures without a library.                                  Floor 6 (formats)
 *
 * PNG (ISO/IEC 15948) with 8 bits per channel. The data is stored, not compressed: a sheet of digits is
 * small, and every viewer reads it. */
#ifndef RTI_PNG_H
#define RTI_PNG_H

#include "retort/status.h"

/* pixels (height, width, channels), row by row; channels 1 (grey) or 3 (RGB). Written whole or not at
 * all. RT_IO, RT_MEMORY. */
rt_status rti_png_write(const char *path, const uint8_t *pixels, int width, int height, int channels,
                        rt_error *error) RT_MUST_CHECK;

#endif

/* pnm.h - pictures in the formats PGM and PPM, read.                   Floor 6 (formats)
 *
 *     "P2" grey or "P3" colour, then width height maxval and the numbers as text;
 *     "P5" grey or "P6" colour, then width height maxval, one white space, and the numbers as bytes
 *
 * (netpbm.sourceforge.net/doc/pgm.html, ppm.html.) Comments run from # to the end of the line, anywhere in
 * the header and among numbers that are text. 8 bits: maxval is at most 255; with a smaller one the numbers
 * are stretched to 0 ... 255. The file is treated as hostile: what the header promises is compared with the
 * bytes that are there before memory is asked for. */
#ifndef RTI_PNM_H
#define RTI_PNM_H

#include "retort/status.h"

typedef struct rti_pnm {
    int64_t width, height;
    int channels;    /* 1 grey, 3 red, green, blue */
    uint8_t *pixels; /* (height, width, channels); the caller releases them with rt_free */
} rti_pnm;

/* Do these first bytes look like a picture of these formats, or of their relatives P1, P4 and P7? */
bool rti_pnm_begins(const unsigned char *bytes, size_t length);

/* The picture that begins at bytes[*at]; *at moves behind it and the white space that follows, so that the
 * pictures of a stream are read one after the other until *at is length. RT_FORMAT with the byte's place;
 * RT_UNSUPPORTED (bit maps, P7, 16 bits: the message says what to do); RT_MEMORY. *picture is empty then. */
rt_status rti_pnm_parse(rti_pnm *picture, const unsigned char *bytes, size_t length, size_t *at,
                        const char *name, rt_error *error) RT_MUST_CHECK;

#endif

/* fetch.h - what is downloaded, from where, and how it is known to be right.  Floor 6 (data) */
#ifndef RTI_FETCH_H
#define RTI_FETCH_H

#include "retort/data.h"

typedef struct rti_download {
    const char *file;   /* on the mirrors */
    const char *sha256; /* of it, 64 lower-case digits */
    const char *name;   /* unpacked, as the readers look for it; NULL: `file` is an archive */
    size_t bytes;       /* unpacked */
} rti_download;

typedef struct rti_fetch_member {
    const char *name, *sha256;
} rti_fetch_member;

typedef struct rti_fetch_set {
    const char *name;           /* of the set and of its folder */
    const char *mirrors[3];     /* addresses up to the file's name */
    const rti_download *downloads;
    int count;
    const char *archive_folder; /* in the archive */
    const rti_fetch_member *members;
    int member_count;
} rti_fetch_set;

/* Everything the set names, into directory/name. Errors as rt_data_fetch. */
rt_status rti_fetch_run(const rti_fetch_set *set, const char *directory, rt_error *error) RT_MUST_CHECK;

#endif

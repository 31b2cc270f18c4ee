/* directory.c - where downloaded sets are.                             Floor 6 (data) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

rt_status rt_data_directory(char *out, size_t size, rt_error *error) {
    const char *given = environment("RETORT_DATA"), *user = environment("XDG_DATA_HOME"),
               *home = environment("HOME");
    int length;
    if (given) length = snprintf(out, size, "%s", given);
    else if (user) length = snprintf(out, size, "%s/retort", user);
    else if (home) length = snprintf(out, size, "%s/.local/share/retort", home);
    else
        return rt_fail(error, RT_NOT_FOUND,
                       "no data directory: neither RETORT_DATA nor XDG_DATA_HOME nor HOME is set. "
                       "Set RETORT_DATA to a directory");
    if (length < 0 || (size_t)length >= size)
        return rt_fail(error, RT_VALUE, "the data directory's name is longer than %zu bytes", size);
    return RT_OK;
}

rt_status rti_data_path(const char *given, const char *directory, char out[RTI_PATH_MAX], rt_error *error) {
    if (given[0] == '/' || rti_file_or_gzip_exists(given)) directory = "";
    return rti_path_join(out, RTI_PATH_MAX, directory, given, error);
}

bool rti_file_or_gzip_exists(const char *path) {
    char packed[RTI_PATH_MAX + 4];
    size_t length = strlen(path);
    if (rti_file_exists(path)) return true;
    if (length + 4 > sizeof packed) return false;
    memcpy(packed, path, length);
    memcpy(packed + length, ".gz", 4);
    return rti_file_exists(packed);
}

/* cifar.c - see cifar.h.                                               Floor 6 (data) */
#include "data/cifar.h"

#include <string.h>

rt_status rti_cifar_folder(const rti_cifar_form *form, const char *directory, const char *file,
                           char out[RTI_PATH_MAX], rt_error *error) {
    const char *const folders[] = {form->folders[0], form->folders[1], "."};
    for (int i = 0; i < 3; i++) {
        char path[RTI_PATH_MAX];
        RT_TRY(rti_path_join(out, RTI_PATH_MAX, directory, folders[i], error));
        RT_TRY(rti_path_join(path, sizeof path, out, file, error));
        if (rti_file_exists(path)) return RT_OK;
    }
    return rt_fail(error, RT_NOT_FOUND,
                   "%s: %s is neither in %s/%s nor in %s/%s. `retort data fetch %s` downloads it, "
                   "RETORT_DATA=DIR uses files that are already there",
                   form->name, file, directory, form->folders[0], directory, form->folders[1], form->name);
}

rt_status rti_cifar_alloc(const rti_cifar_form *form, rti_source *source, int64_t count, uint8_t **pixels,
                          int32_t **labels, rt_error *error) {
    *pixels = rt_alloc((size_t)count * RTI_CIFAR_PIXELS);
    rti_source_keep(source, *pixels);
    *labels = rt_alloc((size_t)count * sizeof **labels);
    rti_source_keep(source, *labels);
    if (*pixels && *labels) return RT_OK;
    return rt_fail(error, RT_MEMORY, "%s: no memory for %lld images", form->name, (long long)count);
}

rt_status rti_cifar_spread(const rti_cifar_form *form, const uint8_t *bytes, size_t length, const char *path,
                           int64_t count, uint8_t *pixels, int32_t *labels, rt_error *error) {
    size_t record = (size_t)form->label_bytes + RTI_CIFAR_PIXELS;
    if (length != (size_t)count * record)
        return rt_fail(error, RT_FORMAT,
                       "%s: has %zu bytes; this file of %s has %zu (%lld records of %zu). Fetch it again: "
                       "`retort data fetch %s`",
                       path, length, form->name, (size_t)count * record, (long long)count, record,
                       form->name);
    for (int64_t i = 0; i < count; i++, bytes += record) {
        for (int b = 0; b < form->label_bytes; b++)
            if (bytes[b] >= form->classes[b])
                return rt_fail(
                    error, RT_FORMAT, "%s: record %lld (at byte %lld) has the label %d; 0 to %d is possible",
                    path, (long long)i, (long long)i * (long long)record + b, bytes[b], form->classes[b] - 1);
        labels[i] = bytes[form->label];
        memcpy(pixels + i * RTI_CIFAR_PIXELS, bytes + form->label_bytes, RTI_CIFAR_PIXELS);
    }
    return RT_OK;
}

rt_status rti_cifar_read(const rti_cifar_form *form, const char *folder, const char *name, int64_t count,
                         uint8_t *pixels, int32_t *labels, rt_error *error) {
    char path[RTI_PATH_MAX];
    rti_bytes file;
    RT_TRY(rti_path_join(path, sizeof path, folder, name, error));
    RT_TRY(rti_file_view(path, (size_t)count * ((size_t)form->label_bytes + RTI_CIFAR_PIXELS), &file, error));
    rt_status status = rti_cifar_spread(form, file.data, file.count, path, count, pixels, labels, error);
    rt_free(file.data);
    return status;
}

rt_examples rti_cifar_examples(const rti_cifar_form *form, const uint8_t *pixels, const int32_t *labels,
                               int64_t count) {
    return (rt_examples){.count = count,
                         .ndim = 3,
                         .shape = {3, 32, 32},
                         .features = RTI_CIFAR_PIXELS,
                         .classes = form->classes[form->label],
                         .bytes = pixels,
                         .labels = labels,
                         .scale = 1.0 / 255};
}

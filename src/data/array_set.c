/* array_set.c - see array_set.h.                                       Floor 6 (data) */
#include "data/array_set.h"

rt_status rti_array_set_read(const rt_params *options, const rti_array_files *files, const rti_source *like,
                             rti_source *out, rt_error *error) {
    int classes = like ? like->train.classes : (int)rt_params_int(options, files->row[1]);
    RT_TRY(rti_array_examples_of(files->format, files->path[0], files->path[1], classes, out, &out->train,
                                 error));
    out->standardise = rt_params_bool(options, files->row[2]) && out->train.values;
    if (like) return RT_OK; /* of a transfer set only the training examples are used */
    if (!files->path[2][0])
        return rti_hold_out(out, rt_params_real(options, files->row[0]), files->row[0],
                            (uint64_t)rt_params_int(options, "seed"), error);
    RT_TRY(rti_array_examples_of(files->format + 2, files->path[2], files->path[3], out->train.classes, out,
                                 &out->test, error));
    return rti_test_check(out, files->path[2], error);
}

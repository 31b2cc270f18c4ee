/* registry.c - the generated list of kinds of models.                  Floor 6 (nn) */
#include <string.h>

#include "nn/model.h"

#define X(name) extern const rti_model_kind rti_model_##name;
#include "model.inc"
#undef X

const rti_model_kind *const rti_all_models[] = {
#define X(name) &rti_model_##name,
#include "model.inc"
#undef X
    NULL,
};

#define X(name) #name,
static const char *const kinds[] = {
#include "model.inc"
    NULL,
};
#undef X

const char *const *rt_model_kinds(int *count) {
    *count = (int)(sizeof kinds / sizeof kinds[0]) - 1;
    return kinds;
}

const rti_model_kind *rti_model_find(const char *name) {
    for (int i = 0; rti_all_models[i]; i++)
        if (strcmp(rti_all_models[i]->name, name) == 0) return rti_all_models[i];
    return NULL;
}

const rt_param *rt_model_rows(const char *kind, int *count) {
    const rti_model_kind *found = rti_model_find(kind);
    *count = found ? found->row_count : 0;
    return found ? found->rows : NULL;
}

const char *rt_model_title(const char *kind) {
    const rti_model_kind *found = rti_model_find(kind);
    return found ? found->title : NULL;
}

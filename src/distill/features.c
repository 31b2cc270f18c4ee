/* features.c - see features.h.                                         Floor 7 (distill) */
#include "distill/features.h"

#include <stdio.h>
#include <string.h>

/* ---- names ---- */

typedef struct names {
    int count;
    char name[RTI_PAIRS_MAX][RTI_TAP_NAME];
} names;

static void put(names *list, const char *name, const char *suffix) {
    if (list->count < RTI_PAIRS_MAX)
        snprintf(list->name[list->count++], RTI_TAP_NAME, "%s%s", name, suffix);
}

/* "stage1, stage2" */
static rt_status listed(const char *text, names *list, rt_error *error) {
    list->count = 0;
    for (const char *at = text; *at;) {
        at += strspn(at, " ,");
        size_t length = strcspn(at, " ,");
        if (!length) break;
        if (length >= RTI_TAP_NAME || list->count == RTI_PAIRS_MAX)
            return rt_fail(error, RT_SPEC, "taps \"%.80s\": at most %d names of less than %d letters", text,
                           RTI_PAIRS_MAX, RTI_TAP_NAME);
        snprintf(list->name[list->count++], RTI_TAP_NAME, "%.*s", (int)length, at);
        at += length;
    }
    return list->count ? RT_OK : rt_fail(error, RT_SPEC, "taps \"%.80s\": there is no name in it", text);
}

/* Stages first ... last - 1 of `model`. */
static void put_stages(names *list, const rt_model *model, int first, int last, const char *suffix) {
    for (int i = first; i < last; i++) put(list, rt_model_stage(model, i), suffix);
}

/* What a method takes by itself when the networks share their last `stages` stages. */
static void chosen(names *list, rti_taps taps, const rt_model *model, int stages, bool stems) {
    int n = rt_model_stages(model), first = n - stages, middle = first + (stages - 1) / 2;
    list->count = 0;
    switch (taps) {
    case RTI_TAPS_STAGES: put_stages(list, model, first, n, ""); break;
    case RTI_TAPS_STAGES_BEFORE: put_stages(list, model, first, n, ".pre"); break;
    case RTI_TAPS_STEM_STAGES:
        if (stems) put(list, rt_model_stem(model), "");
        put_stages(list, model, first, n, "");
        break;
    case RTI_TAPS_MIDDLE_STAGE: put_stages(list, model, middle, middle + 1, ""); break;
    case RTI_TAPS_LAST_STAGE: put_stages(list, model, n - 1, n, ""); break;
    case RTI_TAPS_PENULTIMATE: put(list, rt_model_penultimate(model), ""); break;
    }
}

static rt_status find_names(const rti_method *method, const rt_params *options, const rt_model *student,
                            const rt_model *teacher, names list[2], rt_error *error) {
    static const char *const keys[] = {"student_taps", "teacher_taps"};
    const rt_model *models[] = {student, teacher};
    int stages = rt_model_stages(student), theirs = rt_model_stages(teacher);
    if (theirs < stages) stages = theirs;
    if (stages > RTI_PAIRS_MAX - 1) stages = RTI_PAIRS_MAX - 1;
    bool stems = rt_model_stem(student) && rt_model_stem(teacher);
    for (int side = 0; side < 2; side++) {
        const char *text = rt_params_text(options, keys[side]);
        if (strcmp(text, "auto") != 0) {
            RT_TRY(listed(text, &list[side], error));
            continue;
        }
        if (stages < 1)
            return rt_fail(error, RT_UNSUPPORTED,
                           "method %s looks at hidden layers, and %s has none; give it one, or take a method "
                           "of the logits (kd)",
                           method->name, rt_model_summary(models[rt_model_stages(student) ? 1 : 0]));
        chosen(&list[side], method->taps, models[side], stages, stems);
    }
    if (list[0].count != list[1].count)
        return rt_fail(error, RT_SPEC, "student_taps names %d layers and teacher_taps %d: they are pairs",
                       list[0].count, list[1].count);
    return RT_OK;
}

/* ---- pairs ---- */

static rt_status look_up(rti_feature *feature, const char *name, rt_model *model, const char *whose,
                         rt_error *error) {
    *feature = (rti_feature){.tap = name};
    rt_status status = rt_model_tap_shape(model, name, &feature->ndim, feature->shape, error);
    if (status != RT_OK) return rt_fail_in(error, status, "the %s's taps", whose);
    bool there = rt_model_want_tap(model, name);
    RT_ASSERT(there, "the tap %s has a shape and is not there", name);
    return RT_OK;
}

rt_status rti_features_pair(rti_features *f, const rti_method *method, const rt_params *options,
                            rt_model *student, rt_model *teacher, rt_error *error) {
    names list[2];
    RT_TRY(find_names(method, options, student, teacher, list, error));
    f->pairs = list[0].count;
    for (int i = 0; i < f->pairs; i++) {
        for (int side = 0; side < 2; side++)
            memcpy(f->name[side][i], list[side].name[i], RTI_TAP_NAME);
        RT_TRY(look_up(&f->student[i], f->name[0][i], student, "student", error));
        RT_TRY(look_up(&f->teacher[i], f->name[1][i], teacher, "teacher", error));
    }
    return RT_OK;
}

bool rti_features_get(const rti_features *f, int side, const rt_model *model, rt_tensor *out[RTI_PAIRS_MAX]) {
    for (int i = 0; i < f->pairs; i++) {
        out[i] = rt_model_tap(model, f->name[side][i]);
        if (!out[i]) return false;
    }
    return true;
}

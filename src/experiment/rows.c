/* rows.c - the tables that settings are made of, and their canonical text.  Floor 8 (experiment)
 *
 * A section's table is put together from rows of the runner, of the model, of the optimiser, of the method.
 * The canonical text of a table is what identities are made of, so a row that comes later must be on the
 * list `later_rows`: it is left out at its default, and what was trained before it existed stays valid. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/spec.h"
#include "optim/optimizer.h"

#define CHOICES_MAX 1024

/* ---- rows that belong to the runner ---- */

static const char *join(const char *const *words, int count, char out[CHOICES_MAX]) {
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < count && used < CHOICES_MAX; i++)
        used += (size_t)snprintf(out + used, CHOICES_MAX - used, "%s%s", i ? "|" : "", words[i]);
    RT_ASSERT(used < CHOICES_MAX, "the names of models or methods are too long for one row");
    return out;
}

static const char *model_choices(void) {
    static char text[CHOICES_MAX];
    int count;
    const char *const *kinds = rt_model_kinds(&count);
    return text[0] ? text : join(kinds, count, text);
}

static const char *method_choices(void) {
    static char text[CHOICES_MAX];
    int count;
    const char *const *names = rt_method_names(&count);
    return text[0] ? text : join(names, count, text);
}

const rt_param *rti_training_rows(int *count) {
    enum { ROWS = 9 };
    static rt_param rows[ROWS];
    const rt_param all[ROWS] = {
        RT_PARAM_CHOICE_ROW("model", "mlp", model_choices(), "kind of network"),
        RT_PARAM_INT_ROW("epochs", 10, 1, 100000, "epochs", "passes over the training set"),
        RT_PARAM_INT_ROW("jitter", 0, 0, 16, "pixels",
                         "shift each image by up to so much in x and y, anew each epoch"),
        RT_PARAM_BOOL_ROW("flip", false, "mirror each image left and right or not, anew each epoch"),
        RT_PARAM_INT_ROW("crop", 0, 0, 64, "pixels",
                         "a border of so much, then a window of the image's size anywhere in it"),
        RT_PARAM_CHOICE_ROW("crop_fill", "background", "background|reflect",
                            "what the border of crop is made of"),
        RT_PARAM_INT_ROW("cutout", 0, 0, 1024, "pixels",
                         "a blank square of this size somewhere in each image"),
        RT_PARAM_REAL_ROW("mixup", 0, 0, 100, "",
                          "mixes images of a batch in pairs, share from Beta(mixup, mixup); 0: not"),
        RT_PARAM_CHOICE_ROW("precision", "float32", "float32|bf16",
                            "of what linear layers multiply; sums, weights and convolutions are float32"),
    };
    memcpy(rows, all, sizeof rows);
    *count = ROWS;
    return rows;
}

const rt_param *rti_teacher_rows(int *count) {
    static const rt_param rows[] = {
        RT_PARAM_INT_ROW("count", 1, 1, RTI_TEACHERS_MAX, "networks", "members of the ensemble that teaches"),
        RT_PARAM_CHOICE_ROW("combine", "logits", "logits|probabilities|geometric",
                            "how the members' answers are averaged"),
        RT_PARAM_INT_ROW("seed", 1000, 0, 9007199254740992.0, "", "of the first member; the others count up"),
        RT_PARAM_INT_ROW("stop_epoch", 0, 0, 100000, "epochs",
                         "teaches with its weights after this epoch of the whole schedule; 0: the last"),
        RT_PARAM_TEXT_ROW("weights", "", "file of a network trained elsewhere: it is not trained here"),
        RT_PARAM_TEXT_ROW("logits", "",
                          "answers instead of a network: .npy or .csv, one row per training example"),
        RT_PARAM_CHOICE_ROW("logits_are", "logits", "logits|probabilities", "what stands in these files"),
        RT_PARAM_TEXT_ROW("test_logits", "", "answers to the test set, for agreement and KL alone"),
        RT_PARAM_REAL_ROW("label_smoothing", 0, 0, 1, "",
                          "part of its own target that is spread over all classes while it is trained"),
    };
    *count = 9;
    return rows;
}

const rt_param *rti_assistant_rows(int *count) {
    static const rt_param rows[] = {
        RT_PARAM_INT_ROW("seed", 1000, 0, 9007199254740992.0, "", "one assistant serves all students"),
    };
    *count = 1;
    return rows;
}

const rt_param *rti_distill_rows(int *count) {
    static rt_param rows[8];
    const rt_param all[] = {
        RT_PARAM_CHOICE_ROW("method", "none", method_choices(), "how the student learns from the teacher"),
        RT_PARAM_TEXT_ROW("preset", "", "settings of the method as somebody published them"),
        RT_PARAM_CHOICE_ROW("schedule", "direct", "direct|takd|born-again",
                            "who teaches: the teacher, a chain of assistants, an earlier generation"),
        RT_PARAM_INT_ROW("generations", 1, 1, 16, "", "of born-again students, one after another"),
        RT_PARAM_CHOICE_ROW("first", "labels", "labels|teacher",
                            "who taught the first generation: a student of the labels, or the teacher"),
        RT_PARAM_INT_ROW("teachers", 0, 0, RTI_TEACHERS_MAX, "networks",
                         "so many members of the teacher teach, the first ones; 0: all"),
        RT_PARAM_BOOL_ROW("scratch", true,
                          "train a student on the labels alone beside each, to compare with"),
        RT_PARAM_CHOICE_ROW("targets", "teacher", RT_TARGETS_CHOICES,
                            "controls: what the student is told in place of the teacher's answers"),
    };
    memcpy(rows, all, sizeof rows);
    *count = 8;
    return rows;
}

/* The optimiser's rows under the names they have in a section: "optimizer.lr". */
static const rt_param *optimizer_rows(int *count) {
    static rt_param rows[RT_PARAMS_MAX];
    static char names[RT_PARAMS_MAX][64];
    static int known;
    if (!known) {
        int n;
        const rt_param *plain = rt_optimizer_rows(&n);
        RT_ASSERT(n <= RT_PARAMS_MAX, "an optimiser has %d rows", n);
        for (int i = 0; i < n; i++) {
            rows[i] = plain[i];
            snprintf(names[i], sizeof names[i], "optimizer.%s", plain[i].name);
            rows[i].name = names[i];
        }
        known = n;
    }
    *count = known;
    return rows;
}

/* Sums of methods ("kd+at") exist, too, and stand on no list. */
bool rti_method_exists(const char *method) {
    int count;
    return rt_method_rows(method, &count) != NULL;
}

/* ---- tables ---- */

void rti_network_table(rt_params *p, const char *model, const rt_param *own_rows, int own_count) {
    int count;
    const rt_param *rows = rti_training_rows(&count);
    rt_params_init(p, rows, count);
    rt_params_add(p, own_rows, own_count);
    rows = rt_model_rows(model, &count);
    if (rows) rt_params_add(p, rows, count);
    rows = optimizer_rows(&count);
    rt_params_add(p, rows, count);
}

rt_augment rti_training_augment(const rt_params *network) {
    return (rt_augment){
        .jitter = (int)rt_params_int(network, "jitter"),
        .flip = rt_params_bool(network, "flip"),
        .crop = (int)rt_params_int(network, "crop"),
        .reflect = !strcmp(rt_params_text(network, "crop_fill"), "reflect"),
        .cutout = (int)rt_params_int(network, "cutout"),
        .mixup = rt_params_real(network, "mixup"),
    };
}

void rti_distill_table(rt_params *p, const char *method) {
    int count;
    const rt_param *rows = rti_distill_rows(&count);
    rt_params_init(p, rows, count);
    rows = rt_method_rows(method, &count);
    if (rows) rt_params_add(p, rows, count);
}

/* False for "optimizer.beta1" when the optimiser is one that has no beta1. */
bool rti_optimizer_uses(const rt_params *p, const char *row) {
    if (strncmp(row, "optimizer.", 10)) return true;
    return rti_option_is_used(rti_optimizer_find(rt_params_text(p, "optimizer.name")),
                              rti_schedule_find(rt_params_text(p, "optimizer.schedule")), row + 10);
}

void rti_settings_labels_only(rti_settings *settings) { rti_distill_table(&settings->distill, "none"); }

/* ---- canonical text ---- */

/* Rows that came after format 1, each with a default that changes nothing. Canonical texts leave them out
 * at their default, as they do empty texts, so that what was trained before they existed keeps its
 * identity. */
static const char *const later_rows[] = {
    "stop_epoch", "schedule", "generations", "first", "teachers", "flip", "crop", "crop_fill",
    "cutout", "mixup", "normalize", "student_taps", "teacher_taps", "cifar10.held_out",
    "cifar100.labels", "logits_are", "npy.holdout", "npy.classes", "npy.standardise", "folder.holdout",
    "folder.classes", "folder.standardise", "scratch", "precision", "label_smoothing", "targets", NULL,
};

static bool is_default(const rt_param *row, const rt_value *value) {
    char now[RT_PARAM_TEXT_MAX * 6 + 8], fallback[RT_PARAM_TEXT_MAX * 6 + 8];
    rt_params fresh;
    rt_params_init(&fresh, row, 1);
    rt_value_format(value, now, sizeof now);
    rt_value_format(&fresh.values[0], fallback, sizeof fallback);
    return !strcmp(now, fallback);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const rt_param *const *)a)->name, (*(const rt_param *const *)b)->name);
}

static bool listed(const char *const skip[], const char *name) {
    for (; skip && *skip; skip++)
        if (!strcmp(*skip, name)) return true;
    return false;
}

void rti_params_append(rti_text *out, const rt_params *p, const char *const skip[]) {
    const rt_param *rows[RT_PARAMS_MAX] = {NULL};
    for (int i = 0; i < p->count; i++) rows[i] = p->rows[i];
    qsort(rows, (size_t)p->count, sizeof rows[0], by_name);
    for (int i = 0; i < p->count; i++) {
        const rt_value *value = &p->values[rt_params_find(p, rows[i]->name)];
        bool is_text = value->type == RT_PARAM_TEXT || value->type == RT_PARAM_CHOICE;
        if (listed(skip, rows[i]->name) || (is_text && !value->text[0])) continue;
        if (!rti_optimizer_uses(p, rows[i]->name)) continue;
        if (listed(later_rows, rows[i]->name) && is_default(rows[i], value)) continue;
        char text[RT_PARAM_TEXT_MAX * 6 + 8];
        rt_value_format(value, text, sizeof text);
        rti_text_printf(out, "%s = %s\n", rows[i]->name, text);
    }
}

/* Answers in files: nothing else is said of such a teacher. */
static void append_stored(const rt_params *teacher, rti_text *out) {
    static const char *const own[] = {"logits", "logits_are", "test_logits", NULL};
    const char *skip[RT_PARAMS_MAX + 1];
    int count = 0;
    for (int i = 0; i < teacher->count; i++)
        if (!listed(own, teacher->rows[i]->name)) skip[count++] = teacher->rows[i]->name;
    skip[count] = NULL;
    rti_params_append(out, teacher, skip);
}

/* [assistant.1] ... of the chain that ends in *s; returns how many. */
static int append_assistants(const rti_settings *s, rti_text *out) {
    if (!s) return 0;
    int number = append_assistants(s->assistant, out) + 1;
    rti_text_printf(out, "\n[assistant.%d]\n", number);
    rti_params_append(out, &s->student, NULL);
    return number;
}

void rti_settings_text(const rti_settings *s, rti_text *out) {
    static const char *const seed[] = {"seed", NULL};
    rti_text_append(out, "[data]\n");
    rti_params_append(out, &s->data, NULL);
    if (s->has_teacher) {
        rti_text_append(out, "\n[teacher]\n");
        if (rti_settings_stored(s)) append_stored(&s->teacher, out);
        else rti_params_append(out, &s->teacher, NULL);
    }
    append_assistants(s->assistant, out);
    rti_text_append(out, "\n[student]\n");
    rti_params_append(out, &s->student, seed);
    rti_text_append(out, "\n[distill]\n");
    rti_params_append(out, &s->distill, NULL);
}

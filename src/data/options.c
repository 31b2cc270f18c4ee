/* options.c - the kinds of data sets and the option rows of [data].    Floor 6 (data)
 *
 * One flat table: rows common to all sets, then each kind's own. It is put together once, because
 * the words `set` may take are the names of the registered kinds. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"

#define X(name) extern const rti_dataset_kind rti_dataset_kind_##name;
#include "dataset.inc"
#undef X

const rti_dataset_kind *const rti_all_dataset_kinds[] = {
#define X(name) &rti_dataset_kind_##name,
#include "dataset.inc"
#undef X
    NULL,
};

#define KINDS ((int)(sizeof rti_all_dataset_kinds / sizeof *rti_all_dataset_kinds) - 1)
#define COUNT_MAX 2147483647.0

static char set_choices[256], transfer_choices[256];

static const rt_param common_rows[] = {
    RT_PARAM_CHOICE_ROW("set", "digits", set_choices, "the data set"),
    RT_PARAM_INT_ROW(
        "validation", 1000, 0, COUNT_MAX, "examples",
        "taken from the training examples, by class in proportion; every choice is made on these"),
    RT_PARAM_INT_ROW("batch", 100, 1, 1 << 20, "examples", "examples in a training batch"),
    RT_PARAM_INT_ROW(
        "seed", 1, 0, 9007199254740992.0, "",
        "fixes the validation examples, subsets and label noise; independent of the trial's seed"),
    RT_PARAM_BOOL_ROW("normalize", false,
                      "images get mean 0 and deviation 1 in each channel, over what the teacher trains on"),
    RT_PARAM_INT_ROW("train.size", 0, 0, COUNT_MAX, "examples",
                     "training examples that are used, by class in proportion; 0 for all"),
    RT_PARAM_REAL_ROW("train.fraction", 1.0, 0.0, 1.0, "", "the same as a fraction of the training examples"),
    RT_PARAM_INTS_ROW("train.classes", "[]", 0, 65535, "", "classes that are used in training; [] for all"),
    RT_PARAM_REAL_ROW("label_noise", 0.0, 0.0, 1.0, "",
                      "fraction of training labels changed into another class at random"),
    RT_PARAM_CHOICE_ROW(
        "transfer.from", "train", "train|unseen|all",
        "where students' examples come from: what the teacher trained on, what it did not, or both"),
    RT_PARAM_INT_ROW("transfer.size", 0, 0, COUNT_MAX, "examples", "examples a student sees; 0 for all"),
    RT_PARAM_REAL_ROW("transfer.fraction", 1.0, 0.0, 1.0, "", "the same as a fraction"),
    RT_PARAM_INTS_ROW("transfer.classes", "[]", 0, 65535, "", "classes a student sees; [] for all"),
    RT_PARAM_INTS_ROW("transfer.omit_classes", "[]", 0, 65535, "", "classes a student never sees"),
    RT_PARAM_CHOICE_ROW(
        "transfer.set", "same", transfer_choices,
        "a set of its own for students: the training examples of another set of the same shape"),
    RT_PARAM_INT_ROW("transfer.digits.train", 10000, 1, 10000000, "images",
                     "transfer.set \"digits\": how many"),
    RT_PARAM_INT_ROW("transfer.digits.seed", 2, 0, 9007199254740992.0, "",
                     "transfer.set \"digits\": its seed"),
    RT_PARAM_TEXT_ROW("transfer.csv", "", "transfer.set \"csv\": path of the file"),
    RT_PARAM_TEXT_ROW("transfer.images", "", "transfer.set \"idx\" or \"npy\": path of the examples' file"),
    RT_PARAM_TEXT_ROW("transfer.labels", "", "transfer.set \"idx\" or \"npy\": path of the label file"),
    RT_PARAM_TEXT_ROW("transfer.folder", "", "transfer.set \"folder\": path of the directory"),
};

#define COMMON ((int)(sizeof common_rows / sizeof *common_rows))

static rt_param all_rows[RT_PARAMS_MAX];
static int all_count;
static const char *kind_names[KINDS + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void put_together(void) {
    size_t at = 0;
    for (int i = 0; i < KINDS; i++) {
        kind_names[i] = rti_all_dataset_kinds[i]->name;
        at += (size_t)snprintf(set_choices + at, sizeof set_choices - at, "%s%s", i ? "|" : "",
                               kind_names[i]);
        RT_ASSERT(at < sizeof set_choices, "too many data sets for the list of choices");
    }
    RT_ASSERT(at + 5 < sizeof transfer_choices, "too many data sets for the list of choices");
    snprintf(transfer_choices, sizeof transfer_choices, "same|%.*s", (int)at, set_choices);
    memcpy(all_rows, common_rows, sizeof common_rows);
    all_count = COMMON;
    for (int i = 0; i < KINDS; i++) {
        const rti_dataset_kind *kind = rti_all_dataset_kinds[i];
        RT_ASSERT(all_count + kind->row_count <= RT_PARAMS_MAX, "%s: too many option rows in [data]",
                  kind->name);
        if (kind->row_count)
            memcpy(all_rows + all_count, kind->rows, (size_t)kind->row_count * sizeof *kind->rows);
        all_count += kind->row_count;
    }
}

const rt_param *rt_data_rows(int *count) {
    pthread_once(&once, put_together);
    *count = all_count;
    return all_rows;
}

const char *const *rt_data_kinds(int *count) {
    pthread_once(&once, put_together);
    *count = KINDS;
    return kind_names;
}

const rti_dataset_kind *rti_dataset_kind_find(const char *name) {
    for (int i = 0; i < KINDS; i++)
        if (strcmp(rti_all_dataset_kinds[i]->name, name) == 0) return rti_all_dataset_kinds[i];
    return NULL;
}

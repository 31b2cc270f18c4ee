/* unseen.c - see unseen.h.                                             Floor 8 (experiment) */
#include "experiment/unseen.h"

#include <math.h>
#include <string.h>

static void count_classes(const rt_part *part, int64_t count[RTI_UNSEEN_CLASSES_MAX]) {
    memset(count, 0, RTI_UNSEEN_CLASSES_MAX * sizeof *count);
    for (int64_t i = 0; i < part->count; i++) count[part->labels[i]]++;
}

void rti_unseen_find(rti_unseen *unseen, const rti_plan *plan, int trial) {
    const rti_trial *t = &plan->trials[trial];
    const rt_dataset *set = plan->datasets[t->dataset];
    int64_t all[RTI_UNSEEN_CLASSES_MAX], own[RTI_UNSEEN_CLASSES_MAX];
    *unseen = (rti_unseen){.count = 0};
    if (t->role == RTI_TEACHER || rt_dataset_train_examples(set)->classes > RTI_UNSEEN_CLASSES_MAX) return;
    const rt_part *transfer = rt_dataset_part(set, RT_PART_TRANSFER);
    if (transfer->examples->classes > RTI_UNSEEN_CLASSES_MAX) return;
    count_classes(rt_dataset_part(set, RT_PART_TRAIN), all);
    count_classes(transfer, own);
    for (int k = 0; k < RTI_UNSEEN_CLASSES_MAX; k++)
        unseen->count += unseen->is_unseen[k] = all[k] > 0 && own[k] == 0;
}

double rti_unseen_accuracy(const rti_unseen *unseen, const rt_part *part, const uint8_t *predictions) {
    int64_t count = 0, right = 0;
    for (int64_t i = 0; i < part->count; i++) {
        if (!unseen->is_unseen[part->labels[i]]) continue;
        count++;
        right += predictions[i] == part->labels[i];
    }
    return count ? (double)right / (double)count : NAN;
}

/* The table of epochs. Checked against the text that must come out. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/metrics.h"

static void put_term(rt_epoch_report *report, const char *name, double value) {
    int i = report->terms++;
    snprintf(report->term[i].name, sizeof report->term[i].name, "%s", name);
    report->term[i].value = value;
    report->term[i].gradient = 2 * value;
    report->term[i].logit_gradient = 4 * value;
}

Test(metrics, rows_follow_the_columns_whatever_terms_come) {
    rti_text table = RTI_TEXT_EMPTY;
    rt_quality none = {0}, some = {.examples = 10, .accuracy = 0.5, .nll = 1.5};
    rt_epoch_report first = {.epoch = 0, .loss = 3, .accuracy = 0.25, .lr = 0.5, .stage = 1};
    put_term(&first, "hint", 3);
    rti_metrics_append(&table, &first, &none, NAN);
    cr_assert_str_eq(rti_text_string(&table),
                     "epoch,loss,train_accuracy,validation_accuracy,validation_nll,lr,stage,term_hint,"
                     "gradient_hint,logit_gradient_hint\n1,3,0.25,,,0.5,1,3,6,12\n");
    rt_epoch_report second = {.epoch = 1, .loss = 2, .accuracy = 0.5, .lr = 0.25, .stage = 2};
    put_term(&second, "kd", 1);
    put_term(&second, "k", NAN); /* the start of another's name is another name */
    rti_metrics_append(&table, &second, &some, NAN);
    cr_assert_str_eq(rti_text_string(&table),
                     "epoch,loss,train_accuracy,validation_accuracy,validation_nll,lr,stage,term_hint,"
                     "gradient_hint,logit_gradient_hint,term_kd,gradient_kd,logit_gradient_kd,term_k,"
                     "gradient_k,logit_gradient_k\n"
                     "1,3,0.25,,,0.5,1,3,6,12,,,,,,\n"
                     "2,2,0.5,0.5,1.5,0.25,2,,,,1,2,4,,,\n");
    rti_text_deinit(&table);
}

Test(metrics, unseen_classes_have_a_column_of_their_own) {
    rti_text table = RTI_TEXT_EMPTY;
    rt_quality some = {.examples = 10, .accuracy = 0.5, .nll = 1.5};
    rt_epoch_report report = {.epoch = 0, .loss = 3, .accuracy = 0.25, .lr = 0.5, .stage = 1};
    put_term(&report, "kd", 3);
    rti_metrics_append(&table, &report, &some, 0.125);
    report.epoch = 1;
    rti_metrics_append(&table, &report, &some, 0.75);
    cr_assert_str_eq(rti_text_string(&table),
                     "epoch,loss,train_accuracy,validation_accuracy,validation_nll,lr,stage,unseen_accuracy,"
                     "term_kd,gradient_kd,logit_gradient_kd\n"
                     "1,3,0.25,0.5,1.5,0.5,1,0.125,3,6,12\n2,3,0.25,0.5,1.5,0.5,1,0.75,3,6,12\n");
    rti_text_deinit(&table);
}

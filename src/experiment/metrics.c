/* metrics.c - see metrics.h.                                           Floor 8 (experiment) */
#include "experiment/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/json.h"

static const char header[] = "epoch,loss,train_accuracy,validation_accuracy,validation_nll,lr,stage";

static void append_number(rti_text *text, double value) {
    char number[32];
    rti_number_format(value, number);
    rti_text_printf(text, ",%s", isfinite(value) ? number : "");
}

/* ---- columns ---- */

static bool has_column(const rti_text *table, const char *term) {
    char column[64];
    snprintf(column, sizeof column, ",term_%s,", term);
    const char *end = strchr(table->bytes, '\n'), *at = strstr(table->bytes, column);
    return at && at < end;
}

/* Three columns more at the end of the header, and three empty fields in each row. */
static void add_columns(rti_text *table, const char *term) {
    rti_text wider = RTI_TEXT_EMPTY;
    bool first = true;
    for (const char *at = table->bytes; *at; first = false) {
        size_t length = strcspn(at, "\n");
        rti_text_append_bytes(&wider, at, length);
        if (first) rti_text_printf(&wider, ",term_%s,gradient_%s,logit_gradient_%s\n", term, term, term);
        else rti_text_append(&wider, ",,,\n");
        at += length + (at[length] == '\n');
    }
    wider.failed |= table->failed;
    rti_text_deinit(table);
    *table = wider;
}

/* ---- rows ---- */

static void append_term(rti_text *table, const rt_epoch_report *report, const char *name, size_t length) {
    for (int i = 0; i < report->terms; i++) {
        const char *own = report->term[i].name;
        if (strlen(own) != length || strncmp(own, name, length) != 0) continue;
        append_number(table, report->term[i].value);
        append_number(table, report->term[i].gradient);
        append_number(table, report->term[i].logit_gradient);
        return;
    }
    rti_text_append(table, ",,,");
}

/* The terms in the order of the header. */
static void append_terms(rti_text *table, const rt_epoch_report *report) {
    static const char mark[] = ",term_";
    char names[4096];
    snprintf(names, sizeof names, "%.*s", (int)strcspn(table->bytes, "\n"), table->bytes);
    for (const char *at = names; (at = strstr(at, mark));) {
        at += sizeof mark - 1;
        append_term(table, report, at, strcspn(at, ","));
    }
}

void rti_metrics_begin(rti_text *table) {
    if (!table->length) rti_text_printf(table, "%s\n", header);
}

void rti_metrics_append(rti_text *table, const rt_epoch_report *report, const rt_quality *validation,
                        double unseen) {
    if (!table->length && !isnan(unseen)) rti_text_printf(table, "%s,unseen_accuracy\n", header);
    rti_metrics_begin(table);
    for (int i = 0; i < report->terms && !table->failed; i++)
        if (!has_column(table, report->term[i].name)) add_columns(table, report->term[i].name);
    if (table->failed) return;
    rti_text_printf(table, "%" PRId64, report->epoch + 1);
    append_number(table, report->loss);
    append_number(table, report->accuracy);
    append_number(table, validation->examples ? validation->accuracy : NAN);
    append_number(table, validation->examples ? validation->nll : NAN);
    append_number(table, report->lr);
    rti_text_printf(table, ",%d", report->stage);
    if (!isnan(unseen)) append_number(table, unseen);
    append_terms(table, report);
    rti_text_append(table, "\n");
}

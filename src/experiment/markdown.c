/* markdown.c - report.md.                                              Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/compression.h"
#include "experiment/findings.h"
#include "experiment/league.h"
#include "retort/alloc.h"

static void escaped(rti_text *out, const char *before, const char *text, const char *after) {
    rti_text_append(out, before);
    rti_markdown_escape(out, text);
    rti_text_append(out, after);
}

/* A block of code; its fence is longer than any run of backquotes in the text. */
static void code_block(rti_text *out, const char *text) {
    size_t longest = 2, run = 0;
    for (const char *s = text; *s; s++) {
        run = *s == '`' ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    for (size_t i = 0; i <= longest; i++) rti_text_append(out, "`");
    rti_text_append(out, "text\n");
    rti_text_append(out, text);
    size_t length = strlen(text);
    if (length && text[length - 1] != '\n') rti_text_append(out, "\n");
    for (size_t i = 0; i <= longest; i++) rti_text_append(out, "`");
    rti_text_append(out, "\n\n");
}

static void facet_heading(rti_text *out, const rti_summary *summary, int facet) {
    char label[RTI_LABEL_MAX];
    if (summary->plan->facet_count < 2) return;
    rti_label_cell(summary->plan, summary->facets[facet].first_cell, RTI_LABEL_FACET, label, sizeof label);
    escaped(out, "### ", label, "\n\n");
}

/* ---- result ------------------------------------------------------------------------------------- */

static void group_sentence(rti_text *out, const rti_facet_summary *teacher, const rti_group *group) {
    rti_text line = RTI_TEXT_EMPTY;
    if (teacher) rti_terminal_teacher(&line, teacher);
    else rti_terminal_group(&line, "scratch", "networks", group);
    escaped(out, "* ", rti_text_string(&line), "");
    rti_text_deinit(&line);
    if (group->trials == 1 && group->done == 1) {
        double low, high, examples = group->test_errors.mean / group->test_last.mean;
        int64_t errors = (int64_t)group->test_errors.mean;
        if (errors > 0) {
            rti_wilson(errors, (int64_t)llround(examples), &low, &high);
            rti_text_printf(out,
                            "; the size of the test set alone leaves %.2f to %.2f %% open (Wilson, 95 %%)",
                            100.0 * low, 100.0 * high);
        }
    }
    rti_text_append(out, "\n");
}

static void chosen_sentence(rti_text *out, const rti_summary *summary, int facet) {
    const rti_facet_summary *f = &summary->facets[facet];
    char label[RTI_LABEL_MAX], a[48], b[48], c[48], p[32], holm[32];
    if (f->best_cell < 0) {
        rti_text_append(out, summary->validation_examples
                                 ? "* no distilled student is finished, so none is chosen\n"
                                 : "* no validation set, so no cell is chosen: a choice made on test data "
                                   "would flatter itself\n");
        return;
    }
    const rti_cell_summary *cell = &summary->cells[f->best_cell];
    rti_label_cell(summary->plan, f->best_cell, RTI_LABEL_ALL, label, sizeof label);
    escaped(out, "* chosen on validation: **", label[0] ? label : "the student", "**: ");
    rti_text_printf(
        out,
        "test error %s %% at the last epoch, %s %% at the epochs that are best on validation",
        rti_percent(&cell->students.test_last, a), rti_percent(&cell->students.test_best, b));
    if (!f->scratch.trials) {
        rti_text_append(out, "\n");
        return;
    }
    rti_text_printf(
        out, "; %s points against scratch, paired %s, %s adjusted for %d comparisons: **%s**\n",
        rti_points(&cell->paired.difference, c), rti_p_text(cell->paired.p, p),
        rti_p_text(cell->p_holm, holm), f->tests, rti_verdict_name(cell->paired.verdict));
    if (f->scratch_is_better)
        rti_text_append(out, "* on validation scratch was not worse than the chosen student: distillation "
                             "did not help here\n");
}

static void result(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    char duration[32];
    rti_text_printf(out, "%d of %d trials finished, %d failed, %d seed%s, %s of training.\n\n", summary->done,
                    plan->trial_count, summary->failed, plan->spec.seed_count,
                    plan->spec.seed_count == 1 ? "" : "s", rti_duration_text(summary->seconds, duration));
    rti_text_append(
        out,
        "Test error in %, last epoch, mean and 95 % interval over seeds. BEATS: below the student of the "
        "same architecture, initial weights, data order and budget that saw the labels alone "
        "(\"scratch\"), paired t-test over seeds, p < 0.05; WORSE: above it; neither: open. A star: "
        "chosen on validation.\n\n");
    if (!plan->spec.is_comparison) rti_data_notes(out, plan, "Data: ", ".\n\n");
    for (int f = 0; f < plan->facet_count; f++) {
        const rti_facet_summary *facet = &summary->facets[f];
        facet_heading(out, summary, f);
        if (facet->teacher.trials) group_sentence(out, facet, &facet->teacher);
        if (facet->scratch.trials) group_sentence(out, NULL, &facet->scratch);
        chosen_sentence(out, summary, f);
        rti_text_append(out, "\n");
        if (!rti_is_grid(plan)) continue;
        rti_table table = rti_table_errors(summary, f);
        rti_table_markdown(out, &table);
        rti_text_append(out, "\n");
    }
    if (rti_is_grid(plan)) return;
    if (plan->spec.is_comparison) {
        rti_league league;
        rti_league_make(&league, summary);
        rti_league_markdown(out, &league);
        return;
    }
    rti_table table = rti_table_cells(summary);
    rti_table_markdown(out, &table);
    rti_text_append(out, "\n");
}

/* ---- pictures ----------------------------------------------------------------------------------- */

static void pictures_of(rti_text *out, const rti_summary *summary, int facet, const rti_pictures *pictures) {
    static const char *const captions[RTI_PICTURES] = {
        [RTI_PICTURE_FOREST] = "Gain over the scratch student of the same seed, with 95 % intervals",
        [RTI_PICTURE_PRICE] = "Test accuracy against training seconds of a student",
        [RTI_PICTURE_FIDELITY] = "Test accuracy against agreement with the teacher",
        [RTI_PICTURE_LEARNING] = "Validation accuracy by epoch, mean over seeds",
        [RTI_PICTURE_GRADIENTS] =
            "Length of each loss term's weighted gradient over the student's parameters",
        [RTI_PICTURE_ATTENTION] = "Where networks look: channel mean of squares at the end of each stage",
        [RTI_PICTURE_TEMPERATURE] =
            "Test accuracy against temperature, one line per alpha, with 95 % intervals",
        [RTI_PICTURE_HEATMAP] =
            "Test error over temperature and alpha; the framed cell was chosen on validation",
        [RTI_PICTURE_CURVES] =
            "Validation error by epoch: teacher, scratch student, chosen distilled student",
        [RTI_PICTURE_CALIBRATION] =
            "Accuracy against confidence on test data: as trained, and with a temperature from validation",
        [RTI_PICTURE_SIMILARITY] =
            "The teacher's mean soft targets by true class, and what is confused on test data",
        [RTI_PICTURE_ENSEMBLE] = "Members alone and together, and one student of theirs",
        [RTI_PICTURE_SHIFT] = "Test errors as the bias of unseen classes is shifted",
        [RTI_PICTURE_UNSEEN] = "Accuracy on validation examples of classes that the student never sees",
        [RTI_PICTURE_TAUGHT] =
            "Training images for which the teacher's soft target names the unseen class most",
        [RTI_PICTURE_OMITTED] = "Each class left out in turn: errors, and accuracy on it",
        [RTI_PICTURE_LIMIT] =
            "The soft term's gradient against temperature: length, angle to its limit, and in training",
        [RTI_PICTURE_WIDTHS] = "Test error against temperature, with 95 % intervals",
        [RTI_PICTURE_RIDGE] =
            "Test error relative to the row's best; framed: best, dotted: not worse by p < 0.05",
        [RTI_PICTURE_SIZES] = "Test error against the number of examples, with 95 % intervals",
        [RTI_PICTURE_DARK] = "What the teacher says of test examples at several temperatures",
    };
    char name[RTI_LABEL_MAX];
    for (int i = 0; i < RTI_PICTURES; i++) {
        if (!pictures->drawn[facet * RTI_PICTURES + i]) continue;
        rti_label_file(summary->plan, rti_picture_stem((rti_picture)i),
                       rti_picture_is_whole((rti_picture)i) ? -1 : facet, ".svg", name, sizeof name);
        rti_text_printf(out, "![%s](%s)\n\n%s.\n\n", captions[i], name, captions[i]);
    }
    if (pictures->drawn[facet * RTI_PICTURES + RTI_PICTURE_TEMPERATURE]) return;
    rti_text chart = RTI_TEXT_EMPTY;
    rti_chart_facet(&chart, summary, facet);
    if (chart.length) code_block(out, rti_text_string(&chart));
    rti_text_deinit(&chart);
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static void estimate(rti_text *out, const rti_estimate *e, double factor, const char *format) {
    char number[48];
    rti_text_append(out, " | ");
    if (!e->count) return;
    snprintf(number, sizeof number, format, factor * e->mean);
    rti_text_append(out, number);
    if (!isfinite(e->half)) return;
    snprintf(number, sizeof number, format, factor * e->half);
    rti_text_printf(out, " ± %s", number);
}

static void quality_row(rti_text *out, const char *name, const rti_group *g) {
    escaped(out, "| ", name, "");
    estimate(out, &g->test_last, 100.0, "%.2f");
    estimate(out, &g->test_best, 100.0, "%.2f");
    estimate(out, &g->validation_last, 100.0, "%.2f");
    estimate(out, &g->agreement, 100.0, "%.2f");
    estimate(out, &g->teacher_kl, 1.0, "%.4f");
    estimate(out, &g->nll, 1.0, "%.4f");
    estimate(out, &g->ece, 100.0, "%.2f");
    rti_text_printf(out, " | %d of %d |\n", g->done, g->trials);
}

static const char *cell_name(const rti_plan *plan, int cell, rti_label_part part, char out[RTI_LABEL_MAX]) {
    rti_label_cell(plan, cell, part, out, RTI_LABEL_MAX);
    if (!out[0]) snprintf(out, RTI_LABEL_MAX, "student");
    return out;
}

static void quality(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    char name[RTI_LABEL_MAX];
    rti_text_append(
        out,
        "| | test error, last epoch, % | test error, best epoch on validation, % | validation error, % | "
        "agreement with the teacher, % | KL to the teacher, nats | NLL, nats | ECE, % | trials |\n"
        "|---|:---|:---|:---|:---|:---|:---|:---|:---|\n");
    for (int f = 0; f < plan->facet_count; f++) {
        const rti_facet_summary *facet = &summary->facets[f];
        char suffix[RTI_LABEL_MAX], whole[RTI_LABEL_MAX + 16];
        rti_label_cell(plan, facet->first_cell, RTI_LABEL_FACET, suffix, sizeof suffix);
        if (facet->teacher.trials) {
            snprintf(whole, sizeof whole, "teacher%s%s", suffix[0] ? ", " : "", suffix);
            quality_row(out, whole, &facet->teacher);
        }
        snprintf(whole, sizeof whole, "scratch%s%s", suffix[0] ? ", " : "", suffix);
        if (facet->scratch.trials) quality_row(out, whole, &facet->scratch);
        for (int c = 0; c < plan->cell_count; c++)
            if (plan->cells[c].facet == f && !summary->cells[c].is_scratch)
                quality_row(out, cell_name(plan, c, RTI_LABEL_ALL, name), &summary->cells[c].students);
    }
    rti_text_append(
        out,
        "\nAgreement, KL, NLL and ECE are of the last epoch on the test set. NLL is the mean of -log p(y); "
        "ECE is the expected calibration error in 15 equal bins; KL is KL(teacher || student) at T = 1.\n\n");
}

static void verdicts(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    char name[RTI_LABEL_MAX], points[48], p[32], holm[32];
    rti_text_append(out, "| | difference to scratch, points | pairs | t | p | p adjusted (Holm) | verdict |\n"
                         "|---|:---|:---|:---|:---|:---|:---|\n");
    int tests = 0, beats = 0, certain = 0;
    for (int c = 0; c < plan->cell_count; c++) {
        const rti_cell_summary *cell = &summary->cells[c];
        if (cell->is_scratch) continue;
        escaped(out, "| ", cell_name(plan, c, RTI_LABEL_ALL, name), " | ");
        rti_text_printf(out, "%s | %d | ", rti_points(&cell->paired.difference, points), cell->paired.pairs);
        if (isfinite(cell->paired.t)) rti_text_printf(out, "%.2f", cell->paired.t);
        rti_text_printf(out, " | %s%s | %s | %s |\n", rti_p_text(cell->paired.p, p),
                        cell->paired.no_spread ? " (sign test)" : "", rti_p_text(cell->p_holm, holm),
                        rti_verdict_name(cell->paired.verdict));
        tests += !isnan(cell->paired.p);
        beats += cell->paired.verdict == RTI_BEATS;
        certain += cell->paired.verdict == RTI_BEATS && cell->p_holm < 0.05;
    }
    rti_text_append(out, "\n");
    if (tests)
        rti_text_printf(
            out,
            "%d comparisons at p < 0.05 find about %.1f differences where there are none. %d say BEATS, %d "
            "of them also when p is adjusted for all comparisons of the table (Holm).\n\n",
            tests, 0.05 * tests, beats, certain);
}

static void cost_row(rti_text *out, const char *name, const rti_group *g) {
    escaped(out, "| ", name, "");
    if (g->done)
        rti_text_printf(out, " | %lld | %lld | %lld", (long long)g->cost.parameters,
                        (long long)g->cost.multiply_adds, (long long)g->cost.bytes);
    else
        rti_text_append(out, " | | | ");
    estimate(out, &g->latency_us, 1.0, "%.1f");
    estimate(out, &g->peak_megabytes, 1.0, "%.0f");
    estimate(out, &g->seconds, 1.0, "%.1f");
    rti_text_append(out, " |\n");
}

static void cost(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    rti_text_append(
        out,
        "| | parameters | multiply-adds per example | bytes | latency of one example, µs | peak memory, MB "
        "| training, s |\n|---|:---|:---|:---|:---|:---|:---|\n");
    for (int f = 0; f < plan->facet_count; f++) {
        const rti_facet_summary *facet = &summary->facets[f];
        char label[RTI_LABEL_MAX], name[RTI_LABEL_MAX + 48];
        rti_label_cell(plan, facet->first_cell, RTI_LABEL_FACET, label, sizeof label);
        if (facet->teacher.trials) {
            snprintf(name, sizeof name, "teacher%s%s", label[0] ? ", " : "", label);
            cost_row(out, name, &facet->teacher);
        }
        snprintf(name, sizeof name, "scratch student%s%s", label[0] ? ", " : "", label);
        if (facet->scratch.trials) cost_row(out, name, &facet->scratch);
        if (facet->best_cell < 0) continue;
        snprintf(name, sizeof name, "distilled student, %s",
                 cell_name(plan, facet->best_cell, RTI_LABEL_ALL, label));
        cost_row(out, name, &summary->cells[facet->best_cell].students);
    }
    rti_text_append(out, "\nTimes and memory are of the machine and the hour they were measured on.\n\n");
}

static void compression(rti_text *out, const rti_summary *summary, const rti_facts *facts) {
    rti_compression *c = rt_alloc_zero(1, sizeof *c);
    bool any = false;
    if (!c) {
        out->failed = true;
        return;
    }
    for (int f = 0; f < facts->count; f++) {
        rti_compression_of_facet(c, summary, &facts->facets[f], f);
        if (c->count < 2) continue;
        if (!any) rti_text_append(out, "## Compression\n\n");
        any = true;
        facet_heading(out, summary, f);
        rti_table table = rti_table_compression(c);
        rti_table_markdown(out, &table);
        rti_text_append(out, "\n");
    }
    if (any) rti_compression_notes(out, c, "* ", "\n");
    if (any)
        rti_text_append(out, "* measured when each training ended, beside others: "
                             "`retort report --compression` measures again\n\n");
    rt_free(c);
}

/* ---- setting ------------------------------------------------------------------------------------ */

static void setting(rti_text *out, const rti_summary *summary, const rti_facts *facts) {
    const rti_plan *plan = summary->plan;
    for (int f = 0; f < facts->count; f++) {
        const rti_facet_facts *fact = &facts->facets[f];
        facet_heading(out, summary, f);
        escaped(out, "* data: ", fact->data, "; ");
        escaped(out, "content hash ", fact->data_hash, "\n");
        if (fact->teacher) escaped(out, "* teacher: ", fact->teacher, "\n");
        escaped(out, "* student: ", fact->student, "\n");
        escaped(out, "* method: ", fact->method, "\n");
        rti_text_append(out, "\n");
    }
    rti_text_append(out, "Seeds:");
    for (int i = 0; i < plan->spec.seed_count; i++)
        rti_text_printf(out, "%s %llu", i ? "," : "", (unsigned long long)plan->spec.seeds[i]);
    rti_text_append(out, ".\n\n## The loss\n\n");
    for (int f = 0; f < facts->count; f++) {
        char label[RTI_LABEL_MAX];
        bool same = false;
        for (int before = 0; before < f; before++)
            same = same || strcmp(facts->facets[before].contract, facts->facets[f].contract) == 0;
        if (same) continue;
        rti_label_cell(plan, facts->facets[f].contract_cell, RTI_LABEL_ALL, label, sizeof label);
        if (label[0]) escaped(out, "At ", label, ":\n\n");
        code_block(out, facts->facets[f].contract);
    }
}

static void warnings(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    bool any = false;
    rti_text lines = RTI_TEXT_EMPTY;
    if (plan->spec.seed_count == 1)
        rti_text_append(&lines, "* One seed: no intervals, no verdicts. Set seeds = [1, 2, 3] or more.\n");
    else if (plan->spec.seed_count < 5)
        rti_text_printf(
            &lines,
            "* %d seeds: intervals are wide (t with %d degree%s of freedom is %.2f) and small differences "
            "stay inconclusive.\n",
            plan->spec.seed_count, plan->spec.seed_count - 1, plan->spec.seed_count == 2 ? "" : "s",
            rti_student_quantile(0.975, plan->spec.seed_count - 1));
    if (!summary->validation_examples && summary->done)
        rti_text_append(&lines, "* No validation set: no epoch and no cell could be chosen.\n");
    if (summary->unfinished)
        rti_text_printf(&lines, "* %d trial%s not finished: run the same command again to go on.\n",
                        summary->unfinished, summary->unfinished == 1 ? " is" : "s are");
    for (int c = 0; c < plan->cell_count; c++) any = any || summary->cells[c].paired.no_spread;
    if (any)
        rti_text_append(&lines, "* In some cells the difference to scratch is the same in every seed; a "
                                "t-test would be certain of anything then, so the exact sign test takes its "
                                "place.\n");
    rti_text failures = RTI_TEXT_EMPTY;
    rti_terminal_failures(&failures, summary, 50, "");
    if (!failures.failed && failures.length) {
        const char *s = rti_text_string(&failures);
        while (*s) {
            char line[1024];
            size_t length = strcspn(s, "\n");
            snprintf(line, sizeof line, "%.*s", (int)length, s);
            escaped(&lines, "* ", line, "\n");
            s += length + (s[length] == '\n');
        }
    }
    rti_text_deinit(&failures);
    if (lines.length) rti_text_printf(out, "## Warnings\n\n%s\n", rti_text_string(&lines));
    if (lines.failed) out->failed = true;
    rti_text_deinit(&lines);
}

static void reproduce(rti_text *out, const rti_summary *summary) {
    const rti_plan *plan = summary->plan;
    char command[RTI_PATH_MAX + 64], path[RTI_PATH_MAX + 8];
    rti_label_plain(plan->spec.path, path, sizeof path);
    snprintf(command, sizeof command, "retort run %s", path[0] ? path : "SPEC.toml");
    rti_text_append(out, "## Again\n\n");
    code_block(out, command);
    rti_text_append(out, "The whole spec, --set included (also in spec.toml, which can be run):\n\n");
    rti_text spec = RTI_TEXT_EMPTY;
    rti_spec_copy_text(&plan->spec, &spec);
    code_block(out, rti_text_string(&spec));
    if (spec.failed) out->failed = true;
    rti_text_deinit(&spec);
    rti_text_append(
        out,
        "The same spec and seeds give the same bits. results.csv has one row per trial, summary.csv one per\n"
        "cell (errors are parts of 1 there), curves.csv the learning curves.\n\n"
        "## How the numbers are made\n\n"
        "Means are over seeds; intervals are mean ± t(0.975, n-1) s / √n. Student and scratch of one seed\n"
        "share initial weights and data order, so the test is paired: t = mean(d) / (s(d) / √n) with\n"
        "d = error of the student - error of scratch. Epochs and cells are chosen on the validation split,\n"
        "never on test data; \"last epoch\" needs no choice and is what tables and verdicts use. The\n"
        "adjusted p (Holm 1979) allows for the number of cells that were looked at.\n");
}

rt_status rti_markdown_write(const rti_summary *summary, const rti_facts *facts,
                             const rti_findings *findings, const rti_pictures *pictures, rt_error *error) {
    char name[80];
    rti_text text = RTI_TEXT_EMPTY;
    escaped(&text, "# ", rti_label_plain(summary->plan->spec.name, name, sizeof name), "\n\n");
    result(&text, summary);
    rti_text_append(&text, "## Pictures\n\n");
    for (int f = 0; f < summary->plan->facet_count; f++) {
        facet_heading(&text, summary, f);
        pictures_of(&text, summary, f, pictures);
    }
    if (pictures->trouble[0]) escaped(&text, "", pictures->trouble, "\n\n");
    warnings(&text, summary);
    rti_text_append(&text, "## What was run\n\n");
    setting(&text, summary, facts);
    rti_text_append(&text, "## Against scratch\n\n");
    verdicts(&text, summary);
    rti_text_append(&text, "## All qualities\n\n");
    quality(&text, summary);
    rti_findings_markdown(&text, findings, summary);
    rti_text_append(&text, "## Cost\n\n");
    cost(&text, summary);
    compression(&text, summary, facts);
    reproduce(&text, summary);
    rt_status status = rti_report_file(summary->plan, "report.md", &text, error);
    rti_text_deinit(&text);
    return status;
}

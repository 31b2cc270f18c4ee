/* league.h - a comparison as a league table.                           Floor 8 (experiment)
 *
 * One line per row of [compare], its chosen point with all seeds, and one for scratch, ordered by test
 * accuracy of the last epoch. The order is for reading: nothing is chosen by it. */
#ifndef RTI_LEAGUE_H
#define RTI_LEAGUE_H

#include "experiment/report_parts.h"

/* A term of a row's loss, means over its finished seeds. */
typedef struct rti_league_term {
    char name[32];
    double value, gradient, logit_gradient; /* NaN: not measured */
} rti_league_term;

typedef struct rti_league_line {
    int row;                        /* in plan->rows; -1: scratch */
    int cell;                       /* in plan->cells; -1: scratch, left out, or not chosen yet */
    char label[RTI_LABEL_TEXT];
    char chosen[RTI_LABEL_MAX];     /* "weight 1000": the values its grid was tuned to; "" without a grid */
    int points;                     /* of its grid */
    const char *reason;             /* why it is left out; "" when it is not; borrowed from the plan */
    const rti_group *group;         /* NULL: no trials yet; borrowed from the summary */
    const rti_cell_summary *against; /* scratch; NULL for scratch itself */
    int64_t extra_parameters;
    int term_count;
    rti_league_term term[RT_TERMS_MAX];
} rti_league_line;

typedef struct rti_league {
    const rti_summary *summary;     /* borrowed */
    int count;                      /* lines with trials first, best first; then those without */
    rti_league_line line[RTI_ROWS_MAX + 1];
} rti_league;

/* The plan must be a comparison. */
void rti_league_make(rti_league *league, const rti_summary *summary);

rti_table rti_table_league(const rti_league *league);     /* accuracy, gain, verdict, agreement, cost */
rti_table rti_table_gradients(const rti_league *league);  /* which term pulls how hard */

/* The tables, what was left out and what was tuned, for the terminal. */
void rti_league_terminal(rti_text *out, const rti_league *league);
/* The same for report.md. */
void rti_league_markdown(rti_text *out, const rti_league *league);

/* league.csv (a row a line), league-terms.csv (a row a term), learning.csv (a column a line). */
rt_status rti_league_write(const rti_league *league, rt_error *error) RT_MUST_CHECK;

#endif

# table.awk - results.csv of table.sh as a table in Markdown; with median.awk before it.
#
#   awk -f tests/bench/median.awk -f tests/bench/table.awk tests/bench/results.csv
#
# A figure is the median over rounds (lowest to highest). A ratio is that of the medians, then that of the rounds
# one by one, lowest to highest: above 1 retort is faster, or takes less. A line for each peer.

BEGIN { FS = ","; RETORT = "retort"; TRAINING = "^gemm (784x1200|1200x1200|784x800|800x800) " }

function put(work, threads, program, unit, round, value) {
    if (!((work, threads, unit) in seen)) {
        seen[work, threads, unit] = 1
        rows++
        row_work[rows] = work; row_threads[rows] = threads; row_unit[rows] = unit
    }
    if (!((work, threads, unit, program) in count))
        peers[work, threads, unit] = peers[work, threads, unit] "|" program
    if (value == "") { count[work, threads, unit, program] += 0; return }
    v[work, threads, unit, program, round] = value
    count[work, threads, unit, program]++
}

/^#/ { note[++notes] = substr($0, 3); next }
$1 + 0 > 0 {
    if ($1 > rounds) rounds = $1
    put($2, $3, $4, $6, $1, $5)
    if ($4 == RETORT && $5 != "") {
        if ($2 ~ TRAINING && $3 == 1) training_shapes += $1 == 1
        if ($2 ~ /^allocations/ && $5 > most_allocations) most_allocations = $5
        if ($2 ~ /^allocations/) counted_allocations = 1
    }
}

# ---- figures ----

function middle(work, threads, unit, program,    r, list, n) {
    for (r = 1; r <= rounds; r++)
        if ((work, threads, unit, program, r) in v) { list = list " " v[work, threads, unit, program, r]; n++ }
    return n ? median(list, n) : ""
}

function extreme(work, threads, unit, program, sign,    r, x, best) { # sign 1: the highest, -1: the lowest
    for (r = 1; r <= rounds; r++) {
        if (!((work, threads, unit, program, r) in v)) continue
        x = v[work, threads, unit, program, r]
        if (best == "" || sign * x > sign * best) best = x
    }
    return best
}

function ratio_of(ours, theirs, unit) { return unit ~ /\/s$/ ? ours / theirs : theirs / ours }

function figure(x,    s, i) {
    if (x == 0) return "0"
    if (x < 0) return "-" figure(-x)
    if (x < 1) return sprintf("%.3f", x)
    if (x < 10) return sprintf("%.2f", x)
    if (x < 100) return sprintf("%.1f", x)
    s = sprintf("%.0f", x)
    for (i = length(s) - 3; i > 0; i -= 3) s = substr(s, 1, i) "," substr(s, i + 1)
    return s
}

function with_range(work, threads, unit, program,    text) {
    text = figure(middle(work, threads, unit, program)) (unit == "" ? "" : " " unit)
    if (rounds > 1)
        text = text sprintf(" (%s to %s)", figure(extreme(work, threads, unit, program, -1)),
            figure(extreme(work, threads, unit, program, 1)))
    return text
}

function ratio_text(work, threads, unit, peer,    r, x, low, high, text) {
    if (unit == "%") return ""
    x = ratio_of(middle(work, threads, unit, RETORT), middle(work, threads, unit, peer), unit)
    text = sprintf("%.2f", x)
    for (r = 1; r <= rounds; r++) {
        if (!((work, threads, unit, RETORT, r) in v) || !((work, threads, unit, peer, r) in v)) continue
        x = ratio_of(v[work, threads, unit, RETORT, r], v[work, threads, unit, peer, r], unit)
        if (low == "" || x < low) low = x
        if (high == "" || x > high) high = x
    }
    return rounds > 1 ? text sprintf(" (%.2f to %.2f)", low, high) : text
}

function share_text(work, threads,    rate, peak) {
    rate = middle(work, threads, "GFLOP/s", RETORT)
    peak = middle("multiply-adds in registers", threads, "GFLOP/s", RETORT)
    return rate == "" || peak == "" ? "" : sprintf("%.0f %%", 100 * rate / peak)
}

function capacity(what, unit,    t, text) {
    for (t = 1; t <= 2; t++)
        if (middle(what " in registers", t, unit, RETORT) != "")
            text = text (text == "" ? "" : ", ") t " thread" (t == 1 ? " " : "s ") \
                with_range(what " in registers", t, unit, RETORT)
    return text
}

# ---- rows made of others ----

# Geometric mean over the shapes of one pattern, as a row of its own; the peer "the better one" is chosen by shape.
function gather(pattern, opposite, threads, work,    i, r, p, n, name, list, shape, best, highest, sum, shapes) {
    for (i = 1; i <= rows; i++) {
        shape = row_work[i]
        if (shape !~ /^gemm [0-9]/ || row_threads[i] != threads || (shape ~ pattern) == opposite) continue
        n = split(substr(peers[shape, threads, "GFLOP/s"], 2), list, "|")
        best = ""
        for (p = 1; p <= n; p++) {
            name = list[p]
            for (r = 1; r <= rounds; r++) sum[name, r] += log(v[shape, threads, "GFLOP/s", name, r])
            if (name == RETORT || (best != "" && middle(shape, threads, "GFLOP/s", name) <= highest)) continue
            best = name
            highest = middle(shape, threads, "GFLOP/s", name)
        }
        shapes++
        if (best == "") continue
        for (r = 1; r <= rounds; r++) sum["the better one", r] += log(v[shape, threads, "GFLOP/s", best, r])
    }
    if (!shapes) return
    n = split(opposite ? RETORT "|the better one" : RETORT "|OpenBLAS|oneDNN", list, "|")
    for (p = 1; p <= n; p++)
        for (r = 1; r <= rounds; r++)
            if ((list[p], r) in sum) put(work, threads, list[p], "GFLOP/s", r, exp(sum[list[p], r] / shapes))
}

# How much more work costs than base, in %, of those who have not measured it in pairs.
function extra(work, base, threads, name,    p, n, r, list) {
    n = split(substr(peers[work, threads, "s"], 2), list, "|")
    for (p = 1; p <= n; p++) {
        if (list[p] == RETORT && count[name, threads, "%", RETORT]) continue
        for (r = 1; r <= rounds; r++)
            if (((work, threads, "s", list[p], r) in v) && ((base, threads, "s", list[p], r) in v))
                put(name, threads, list[p], "%", r,
                    100 * (v[work, threads, "s", list[p], r] / v[base, threads, "s", list[p], r] - 1))
    }
}

# ---- printing ----

function line(work, threads, unit,    n, p, list, ours, printed, share) {
    if (!((work, threads, unit) in seen)) return
    share = work ~ /bf16/ ? "" : share_text(work, threads)
    ours = middle(work, threads, unit, RETORT)
    ours = ours == "" ? "not in this build" : with_range(work, threads, unit, RETORT)
    n = split(substr(peers[work, threads, unit], 2), list, "|")
    for (p = 1; p <= n; p++) {
        if (list[p] == RETORT) continue
        printf "| %s | %d | %s %s | %s | %s | %s |\n", work, threads, list[p],
            with_range(work, threads, unit, list[p]), ours,
            ours ~ /^not/ ? "" : ratio_text(work, threads, unit, list[p]), share
        printed = 1
    }
    if (!printed) printf "| %s | %d | | %s | | %s |\n", work, threads, ours, share
}

function shape_ratio(shape, threads,    theirs) {
    theirs = middle(shape, threads, "GFLOP/s", "OpenBLAS")
    return theirs == "" ? "" : sprintf("%.2f", middle(shape, threads, "GFLOP/s", RETORT) / theirs)
}

function shapes_table(    i, shape, t, pass, passes, text, x, below, lowest, lowest_at, measured) {
    if (middle("gemm 784x1200 100 forward", 1, "GFLOP/s", "OpenBLAS") == "") return
    split("forward dX dW", passes, " ")
    print "\nThe matrix product beside OpenBLAS, shape by shape (ratio of medians):\n"
    print "| layer, batch | 1 thread: forward | dX | dW | 2 threads: forward | dX | dW |"
    print "|---|---|---|---|---|---|---|"
    for (i = 1; i <= rows; i++) {
        if (row_work[i] !~ TRAINING || row_work[i] !~ / forward$/ || row_threads[i] != 1) continue
        shape = row_work[i]; sub(/ forward$/, "", shape)
        text = shape; sub(/^gemm /, "", text); sub(/ /, ", ", text)
        for (t = 1; t <= 2; t++)
            for (pass = 1; pass <= 3; pass++) {
                x = shape_ratio(shape " " passes[pass], t)
                text = text " | " x
                if (x == "") continue
                measured++
                below += x < 1
                if (lowest == "" || x < lowest) { lowest = x; lowest_at = shape " " passes[pass] ", threads " t }
            }
        print "| " text " |"
    }
    printf "\n%d of %d are below 1; the lowest is %s (%s).\n", below, measured, lowest, lowest_at
}

END {
    plain_rows = rows
    for (t = 1; t <= 2; t++) gather(TRAINING, 0, t, "gemm, " training_shapes " training shapes, geometric mean")
    gather(TRAINING, 1, 1, "gemm, skinny shapes, geometric mean")
    gathered_rows = rows
    for (t = 1; t <= 2; t++) extra("epoch 800-800 kd", "epoch 800-800", t, "kd's extra cost 800-800")

    for (i = 1; i <= notes; i++) print note[i] (i < notes ? "  " : "")
    print "\n| work | threads | peer | retort | ratio | share of peak |"
    print "|---|---|---|---|---|---|"
    for (i = plain_rows + 1; i <= gathered_rows; i++) line(row_work[i], row_threads[i], row_unit[i])
    for (i = 1; i <= plain_rows; i++) {
        if (row_work[i] ~ /^(gemm|multiply-adds|additions|allocations|kd's extra)/) continue
        if (row_work[i] ~ /^epoch/ && row_unit[i] != "s") continue
        line(row_work[i], row_threads[i], row_unit[i])
        if (row_work[i] == "epoch 800-800 kd") line("kd's extra cost 800-800", row_threads[i], "%")
    }
    if (counted_allocations)
        printf "| allocations per training step after the first | 1, 2 | | %s | | |\n", most_allocations + 0
    peak = capacity("multiply-adds", "GFLOP/s")
    if (peak != "") print "\nPeak: multiply-adds over registers, measured in the same run: " peak "."
    peak = capacity("additions", "G/s")
    if (peak != "") print "Additions of whole numbers over registers, which a neighbour on the core takes first: " peak "."
    shapes_table()
}

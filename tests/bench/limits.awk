# limits.awk - what results.csv asks for where retort was to be faster than the multipliers; with median.awk before it.
#
#   awk -f tests/bench/median.awk -f tests/bench/limits.awk tests/bench/results.csv
#
# A goal is a multiple of a peer's speed: 1.10 times OpenBLAS. As a share of the peak, the multiply-adds over
# registers of the same run, it says how much would be left for everything that is not a multiplication: above 100 %
# it cannot be met by multiplying faster, only by leaving multiplications out. Each is counted for the whole network
# here, zeros included, and medians over rounds are compared.

BEGIN {
    FS = ","
    print "| goal | threads | the peer's share of the peak | the goal's | retort's |"
    print "|---|---:|---:|---:|---:|"
}

$1 + 0 > 0 && $5 != "" {
    if ($2 ~ /^gemm / && !(($2, $3) in known)) { known[$2, $3] = 1; shapes[$3] = shapes[$3] "|" $2 }
    list[$2, $3, $4, $6] = list[$2, $3, $4, $6] " " $5
    count[$2, $3, $4, $6]++
}

function middle(work, threads, program, unit,    n) {
    n = count[work, threads, program, unit]
    return n ? median(list[work, threads, program, unit], n) : 0
}

function row(goal, threads, peer, factor, ours) {
    printf "| %s | %d | %.0f %% | %.0f %% | %.0f %% |\n", goal, threads, 100 * peer, 100 * peer * factor, 100 * ours
}

# Geometric means over the shapes, and how many of them ask for more than the peak.
function gemm(name, pattern, threads, factor, peer,    n, s, i, theirs, other, ours, sum, our_sum, used, above) {
    n = split(substr(shapes[threads], 2), s, "|")
    for (i = 1; i <= n; i++) {
        if (s[i] !~ pattern) continue
        theirs = middle(s[i], threads, peer == "better" ? "OpenBLAS" : peer, "GFLOP/s") / peak[threads]
        other = middle(s[i], threads, "oneDNN", "GFLOP/s") / peak[threads]
        if (peer == "better" && other > theirs) theirs = other
        ours = middle(s[i], threads, "retort", "GFLOP/s") / peak[threads]
        if (!theirs || !ours) continue
        sum += log(theirs); our_sum += log(ours); used++
        above += theirs * factor > 1
    }
    if (used)
        row(name sprintf(" (%d of %d shapes ask for more than the peak)", above, used), threads, exp(sum / used), factor,
            exp(our_sum / used))
}

# Operations of an epoch or an answer, two for a multiply-add: forward, dW, and dX but of the first layer.
function operations(net, training,    width, n, i, sum) {
    n = split(net, width, "-")
    for (i = 1; i < n; i++) sum += width[i] * width[i + 1] * (training ? (i > 1 ? 3 : 2) : 1)
    return 2 * sum
}

function seconds(name, work, threads, peer, factor, gflop,    theirs, ours) {
    theirs = middle(work, threads, peer, "s"); ours = middle(work, threads, "retort", "s")
    if (theirs && ours && peak[threads])
        row(name, threads, gflop / theirs / peak[threads], factor, gflop / ours / peak[threads])
}

function answers(name, work, factor, flop,    theirs, ours) {
    theirs = middle(work, 1, "PyTorch", "images/s"); ours = middle(work, 1, "retort", "images/s")
    if (theirs && ours) row(name, 1, theirs * flop * 1e-9 / peak[1], factor, ours * flop * 1e-9 / peak[1])
}

END {
    for (t = 1; t <= 2; t++) peak[t] = middle("multiply-adds in registers", t, "retort", "GFLOP/s")
    wide = "^gemm (784x1200|1200x1200|784x800|800x800) "
    gemm("products, 1.10 times OpenBLAS", wide, 1, 1.10, "OpenBLAS")
    gemm("products of batch 1000, 1.10 times OpenBLAS", wide "1000 ", 1, 1.10, "OpenBLAS")
    gemm("skinny products, 1.2 times the better peer", "^gemm (784x30|30x30|1200x10) ", 1, 1.2, "better")
    small = operations("784-30-30-10", 1) * 60000 * 1e-9
    seconds("epoch 30-30, 5 times PyTorch", "epoch 30-30", 1, "PyTorch", 5, small)
    seconds("epoch 30-30, 2.5 times kann", "epoch 30-30", 1, "kann", 2.5, small)
    seconds("epoch 30-30 kd, 5 times PyTorch", "epoch 30-30 kd", 1, "PyTorch", 5, small)
    seconds("sweep of 8 students 30-30, 8 times PyTorch", "sweep of 8 students 30-30", 2, "PyTorch", 8, 8 * 5 * small)
    answers("inference 800-800 batch 1000, 1.6 times PyTorch", "inference 800-800 batch 1000", 1.6,
        operations("784-800-800-10", 0))
    printf "\nPeak of the run: %.0f GFLOP/s on one thread, %.0f on two.\n", peak[1], peak[2]
}

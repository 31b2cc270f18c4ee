# pairs.awk - every pair of temperatures in a results.csv of one width: paired differences over seeds.
#
#   awk -f experiments/hinton2015/pairs.awk plots/hinton2015/temperature-30/results.csv
#
# Prints T, the T it is set against, pairs, mean difference of the test errors of the last epoch in points, and
# Student's t of it (pairs - 1 degrees of freedom; |t| > 2.26 is p < 0.05 for ten pairs). Negative: the first is better.

# Splits a line of CSV into field[1 ...], quotes taken off.
function cut(line,    count, at) {
    count = 0
    while (line != "") {
        at = match(line, /^("[^"]*"|[^,]*)/) ? RLENGTH : 0
        field[++count] = substr(line, 1, at)
        gsub(/"/, "", field[count])
        line = substr(line, at + 2)
    }
}

{ cut($0) }
NR == 1 { for (i = 1; i in field; i++) column[field[i]] = i; next }
field[column["role"]] == "student" && field[column["state"]] == "done" {
    T = field[column["distill.temperature"]]
    seed = field[column["seed"]]
    if (!(T in known)) { known[T] = 1; list[++temperatures] = T }
    seeds[seed] = 1
    error[T, seed] = 100 * field[column["test_error_last"]]
}

END {
    print "temperature,against,pairs,difference_points,t"
    for (a = 1; a <= temperatures; a++)
        for (b = a + 1; b <= temperatures; b++) {
            n = sum = squares = 0
            for (s in seeds) {
                if (!((list[a], s) in error) || !((list[b], s) in error)) continue
                d = error[list[a], s] - error[list[b], s]
                n++; sum += d; squares += d * d
            }
            if (n < 2) continue
            mean = sum / n
            sd = sqrt((squares - n * mean * mean) / (n - 1))
            t = (sd > 0) ? sprintf("%.2f", mean / (sd / sqrt(n))) : ""
            printf "%s,%s,%d,%.4f,%s\n", list[a], list[b], n, mean, t
        }
}

# median.awk - for the scripts of this folder: awk "$(cat tests/bench/median.awk) ..."
function median(list, n,   v, i, j, t) { # of the n numbers in a line of text
    split(list, v, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

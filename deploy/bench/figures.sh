# What the benchmarks have in common. Sourced.

# The median of the numbers in a file, one on each line.
median() { sort -n "$1" | awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'; }

# A line of a table.
row() {
  printf '|'
  printf ' %s |' "$@"
  printf '\n'
}

// What the load generators for other servers have in common: the message, the clock, the server's CPU time, the report.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PUBLISHERS = 16, CONSUMERS = 8, QUEUES = 2, BATCH = 10 };

// As `shop load broker` makes it: JSON of the given size.
static inline char *message(size_t size) {
    const char *item = "{\"sku\":\"tea-green-250\",\"quantity\":2,\"unitPriceMinorUnits\":1250},";
    char *text = malloc(size + 1);
    size_t used = (size_t)snprintf(text, size + 1, "{\"id\":\"01234567~0000000000\",\"items\":[");
    while (used + strlen(item) + 16 < size) used += (size_t)sprintf(text + used, "%s", item);
    memset(text + used, 'x', size - used);
    text[size] = 0;
    return text;
}

static inline double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static inline void sleep_until(double time) {
    struct timespec until = {.tv_sec = (time_t)time, .tv_nsec = (long)((time - (time_t)time) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

// User and system time of a process so far, from /proc/PID/stat.
static inline double cpu_seconds(int process) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t count = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[count] = 0;
    unsigned long user = 0, system = 0;
    const char *rest = strrchr(text, ')');
    if (rest) sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

static inline void report(const char *name, long deliveries, double took, double cpu) {
    printf("%s %.0f %.1f\n", name, deliveries / took, cpu * 1e6 / deliveries);
}

static inline void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

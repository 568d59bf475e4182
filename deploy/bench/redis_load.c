// redis_load PORT PID MESSAGES SIZE
//
// Adds messages to two streams in pipelines of ten, each answered before the next one; eight connections read from each
// stream by its consumer group, and acknowledge and delete ten at a time.
#include "common.h"

#include <hiredis/hiredis.h>
#include <pthread.h>

static int port;
static long messages;
static char *text;
static size_t size;
static atomic_long published, received[QUEUES];

static redisContext *connect_to_server(void) {
    redisContext *connection = redisConnect("127.0.0.1", port);
    if (!connection || connection->err) fail("Redis does not answer");
    return connection;
}

static redisReply *answer(redisContext *connection) {
    redisReply *reply = NULL;
    if (redisGetReply(connection, (void **)&reply) != REDIS_OK || reply->type == REDIS_REPLY_ERROR)
        fail(reply ? reply->str : "a connection broke");
    return reply;
}

static void *publish(void *unused) {
    redisContext *connection = connect_to_server();
    while (atomic_fetch_add(&published, BATCH) < messages) {
        for (int index = 0; index < BATCH; index++)
            for (int queue = 0; queue < QUEUES; queue++)
                redisAppendCommand(connection, "XADD load-%d * body %b", queue, text, size);
        for (int index = 0; index < BATCH * QUEUES; index++) freeReplyObject(answer(connection));
    }
    return unused;
}

static void *consume(void *argument) {
    long queue = (long)argument;
    redisContext *connection = connect_to_server();
    static atomic_int next;
    int name = atomic_fetch_add(&next, 1);
    while (atomic_load(&received[queue]) < messages) {
        redisAppendCommand(
            connection, "XREADGROUP GROUP load consumer-%d COUNT %d BLOCK 20 STREAMS load-%d >", name, BATCH,
            (int)queue);
        redisReply *read = answer(connection);
        if (read->type == REDIS_REPLY_ARRAY) {
            redisReply *entries = read->element[0]->element[1];
            char stream[16];
            snprintf(stream, sizeof stream, "load-%d", (int)queue);
            const char *acknowledge[BATCH + 3] = {"XACK", stream, "load"}, *delete[BATCH + 2] = {"XDEL", stream};
            int count = (int)entries->elements;
            for (int index = 0; index < count; index++)
                acknowledge[index + 3] = delete[index + 2] = entries->element[index]->element[0]->str;
            redisAppendCommandArgv(connection, count + 3, acknowledge, NULL);
            redisAppendCommandArgv(connection, count + 2, delete, NULL);
            freeReplyObject(answer(connection));
            freeReplyObject(answer(connection));
            atomic_fetch_add(&received[queue], count);
        }
        freeReplyObject(read);
    }
    return argument;
}

int main(int count, char **arguments) {
    if (count != 5) fail("redis_load PORT PID MESSAGES SIZE");
    port = atoi(arguments[1]);
    int process = atoi(arguments[2]);
    messages = atol(arguments[3]) / BATCH * BATCH;
    size = (size_t)atol(arguments[4]);
    text = message(size);
    redisContext *connection = connect_to_server();
    for (int queue = 0; queue < QUEUES; queue++) {
        redisAppendCommand(connection, "DEL load-%d", queue);
        freeReplyObject(answer(connection));
        redisAppendCommand(connection, "XGROUP CREATE load-%d load $ MKSTREAM", queue);
        freeReplyObject(answer(connection));
    }
    pthread_t threads[PUBLISHERS + QUEUES * CONSUMERS];
    int started = 0;
    double cpu = cpu_seconds(process), start = seconds();
    for (long queue = 0; queue < QUEUES; queue++)
        for (int index = 0; index < CONSUMERS; index++)
            pthread_create(&threads[started++], NULL, consume, (void *)queue);
    for (int index = 0; index < PUBLISHERS; index++) pthread_create(&threads[started++], NULL, publish, NULL);
    for (int index = 0; index < started; index++) pthread_join(threads[index], NULL);
    report("streams", messages * QUEUES, seconds() - start, cpu_seconds(process) - cpu);
    return 0;
}

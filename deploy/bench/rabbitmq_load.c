// rabbitmq_load PORT PID MESSAGES SIZE quorum|classic [RATE]
//
// Publishes persistent messages in batches of ten, each of which is confirmed before the next one, to a fanout exchange
// with two queues; eight connections consume from each queue and acknowledge ten at a time. With a rate so many messages
// a second are published one by one, and it prints the times in ms from when a message was due until it was received:
// the median and the 99th percentile.
#include "common.h"

#include <pthread.h>
#include <amqp.h>
#include <amqp_tcp_socket.h>

static int port;
static long messages, rate, batch = BATCH;
static char *text;
static size_t size;
static double start, *times;
static atomic_long published, received[QUEUES], timed;

static amqp_connection_state_t connect_to_server(void) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket || amqp_socket_open(socket, "127.0.0.1", port)) fail("RabbitMQ does not answer");
    amqp_rpc_reply_t reply =
        amqp_login(connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("RabbitMQ refused the login");
    amqp_channel_open(connection, 1);
    return connection;
}

static void *publish(void *unused) {
    amqp_connection_state_t connection = connect_to_server();
    amqp_confirm_select(connection, 1);
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    amqp_bytes_t body = {.len = size, .bytes = memcpy(malloc(size), text, size)};
    long confirmed = 0, sent = 0, next;
    while ((next = atomic_fetch_add(&published, batch)) < messages) {
        if (rate) {
            double due = start + (double)next / rate;
            sleep_until(due);
            memcpy(body.bytes, &due, sizeof due);
        }
        for (int index = 0; index < batch; index++)
            amqp_basic_publish(
                connection, 1, amqp_cstring_bytes("load"), amqp_cstring_bytes(""), 0, 0, &properties, body);
        sent += batch;
        while (confirmed < sent) {
            amqp_frame_t frame;
            if (amqp_simple_wait_frame(connection, &frame) != AMQP_STATUS_OK) fail("a connection broke");
            if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
                fail("RabbitMQ did not confirm a message");
            amqp_basic_ack_t *ack = frame.payload.method.decoded;
            confirmed = ack->multiple ? (long)ack->delivery_tag : confirmed + 1;
            amqp_maybe_release_buffers(connection);
        }
    }
    return unused;
}

static void *consume(void *argument) {
    long queue = (long)argument;
    amqp_connection_state_t connection = connect_to_server();
    amqp_basic_qos(connection, 1, 0, 10 * batch, 0);
    amqp_basic_consume(
        connection, 1, amqp_cstring_bytes(queue ? "load-1" : "load-0"), amqp_empty_bytes, 0, 0, 0,
        amqp_empty_table);
    long waiting = 0;
    uint64_t last = 0;
    while (atomic_load(&received[queue]) < messages) {
        amqp_envelope_t envelope;
        struct timeval patience = {.tv_usec = 20000};
        amqp_maybe_release_buffers(connection);
        amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, &patience, 0);
        int came = reply.reply_type == AMQP_RESPONSE_NORMAL;
        if (came) {
            if (rate) {
                double due;
                memcpy(&due, envelope.message.body.bytes, sizeof due);
                times[atomic_fetch_add(&timed, 1)] = seconds() - due;
            }
            last = envelope.delivery_tag;
            waiting++;
            amqp_destroy_envelope(&envelope);
        } else if (reply.library_error != AMQP_STATUS_TIMEOUT) {
            fail("a connection broke");
        }
        if (waiting == batch || (waiting > 0 && !came)) {
            amqp_basic_ack(connection, 1, last, 1);
            atomic_fetch_add(&received[queue], waiting);
            waiting = 0;
        }
    }
    return argument;
}

static int by_time(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments) {
    if (count != 6 && count != 7) fail("rabbitmq_load PORT PID MESSAGES SIZE quorum|classic [RATE]");
    port = atoi(arguments[1]);
    int process = atoi(arguments[2]);
    messages = atol(arguments[3]) / BATCH * BATCH;
    size = (size_t)atol(arguments[4]);
    text = message(size);
    if (count == 7) {
        rate = atol(arguments[6]);
        batch = 1;
        times = calloc(messages * QUEUES, sizeof *times);
    }

    amqp_connection_state_t connection = connect_to_server();
    amqp_exchange_declare(
        connection, 1, amqp_cstring_bytes("load"), amqp_cstring_bytes("fanout"), 0, 1, 0, 0, amqp_empty_table);
    for (int queue = 0; queue < QUEUES; queue++) {
        amqp_bytes_t name = amqp_cstring_bytes(queue ? "load-1" : "load-0");
        amqp_table_entry_t type = {
            .key = amqp_cstring_bytes("x-queue-type"),
            .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(arguments[5])}};
        amqp_queue_delete(connection, 1, name, 0, 0);
        amqp_queue_declare(connection, 1, name, 0, 1, 0, 0, (amqp_table_t){.num_entries = 1, .entries = &type});
        if (amqp_get_rpc_reply(connection).reply_type != AMQP_RESPONSE_NORMAL) fail("a queue could not be declared");
        amqp_queue_bind(connection, 1, name, amqp_cstring_bytes("load"), amqp_cstring_bytes(""), amqp_empty_table);
    }
    pthread_t threads[PUBLISHERS + QUEUES * CONSUMERS];
    int started = 0;
    double cpu = cpu_seconds(process);
    start = seconds();
    for (long queue = 0; queue < QUEUES; queue++)
        for (int index = 0; index < CONSUMERS; index++)
            pthread_create(&threads[started++], NULL, consume, (void *)queue);
    for (int index = 0; index < PUBLISHERS; index++) pthread_create(&threads[started++], NULL, publish, NULL);
    for (int index = 0; index < started; index++) pthread_join(threads[index], NULL);
    if (rate) {
        qsort(times, messages * QUEUES, sizeof *times, by_time);
        printf("%s-paced %.2f %.2f\n", arguments[5], times[messages] * 1e3, times[messages * QUEUES * 99 / 100] * 1e3);
    } else {
        report(arguments[5], messages * QUEUES, seconds() - start, cpu_seconds(process) - cpu);
    }
    return 0;
}

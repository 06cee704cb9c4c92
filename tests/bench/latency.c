/* How long a server takes to answer single bets.
 *
 *     bench-latency PORT CONNECTIONS COUNT
 *
 * Each of the agencies 1 to CONNECTIONS sends COUNT batches of one bet, the next one only when the
 * last has been acknowledged. Every answer must be OK and count the bet.
 */
#include "frame_reader.h"
#include "net.h"
#include "samples.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define READ_SIZE 4096

struct agency {
    int fd;
    uint32_t id;
    uint64_t received; /* bets that the server has */
    uint64_t sent_ns;  /* when the bet that is in flight was sent */
    struct frame_reader reader;
    struct samples *samples; /* of all agencies */
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "bench-latency: %s\n", what);
    exit(EXIT_FAILURE);
}

static void send_bet(struct agency *agency)
{
    Lottery__V1__Bet bet;
    Lottery__V1__NewBets message;
    Lottery__V1__Bet *bets[] = {&bet};
    char first_name[] = "Santiago Lionel";
    char last_name[] = "Lorca";
    char document[] = "30904465";
    char birthdate[] = "1999-03-17";
    uint8_t frame[FRAME_MAX_SIZE];

    lottery__v1__bet__init(&bet);
    bet.first_name = first_name;
    bet.last_name = last_name;
    bet.document = document;
    bet.birthdate = birthdate;
    bet.number = 7574;
    lottery__v1__new_bets__init(&message);
    message.agency_id = agency->id;
    message.offset = agency->received;
    message.n_bets = 1;
    message.bets = bets;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &message.base, frame);
    agency->sent_ns = now_ns();
    net_write(agency->fd, frame, size);
}

static bool on_frame(void *context, const struct frame *frame)
{
    struct agency *agency = context;

    if (frame->opcode != LOTTERY__V1__OPCODE__OPCODE_ACK)
        return false;
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame->body_size, frame->body);
    if (ack == NULL)
        return false;
    bool is_ok =
        ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_OK && ack->received == agency->received + 1;
    lottery__v1__ack__free_unpacked(ack, NULL);
    agency->received++;
    samples_add(agency->samples, now_ns() - agency->sent_ns);
    return is_ok;
}

static void on_readable(struct agency *agency, uint64_t count)
{
    uint8_t data[READ_SIZE];
    uint64_t before = agency->received;
    ssize_t size = read(agency->fd, data, sizeof(data));

    if (size <= 0)
        fail("the connection ended");
    if (frame_reader_feed(&agency->reader, data, (size_t)size, on_frame, agency) != STATUS_OK)
        fail("an answer is not the OK that was expected");
    if (agency->received > before && agency->received < count)
        send_bet(agency);
}

static void open_agency(struct agency *agency, uint32_t id, uint16_t port, int epoll,
                        struct samples *samples)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = agency};

    *agency = (struct agency){.fd = net_connect(port), .id = id, .samples = samples};
    frame_reader_init(&agency->reader);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, agency->fd, &event) < 0)
        die("epoll_ctl");
}

static void close_agency(struct agency *agency)
{
    frame_reader_fini(&agency->reader);
    (void)close(agency->fd);
}

static void run(struct agency *agencies, size_t connections, uint64_t count, int epoll,
                const struct samples *samples)
{
    struct epoll_event events[EVENTS_MAX];

    for (size_t i = 0; i < connections; i++)
        send_bet(&agencies[i]);
    while (samples->count < samples->capacity) {
        int ready = net_wait(epoll, events, EVENTS_MAX);
        for (int i = 0; i < ready; i++)
            on_readable(events[i].data.ptr, count);
    }
}

int main(int argc, char **argv)
{
    struct samples samples;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench-latency PORT CONNECTIONS COUNT\n");
        return 2;
    }
    uint16_t port = (uint16_t)parse_number(argv[1]);
    size_t connections = parse_number(argv[2]);
    uint64_t count = parse_number(argv[3]);
    if (connections < 1 || count < 1)
        fail("CONNECTIONS and COUNT are at least 1");
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct agency *agencies = calloc(connections, sizeof(*agencies));
    if (epoll < 0 || agencies == NULL)
        die("start");
    samples_init(&samples, connections * count);
    for (size_t i = 0; i < connections; i++)
        open_agency(&agencies[i], (uint32_t)i + 1, port, epoll, &samples);
    uint64_t begin = now_ns();
    run(agencies, connections, count, epoll, &samples);
    samples_print(&samples, now_ns() - begin);
    for (size_t i = 0; i < connections; i++)
        close_agency(&agencies[i]);
    free(agencies);
    samples_fini(&samples);
    return EXIT_SUCCESS;
}

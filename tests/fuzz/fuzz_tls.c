/* A server's and an agency's session, and between them a wire that the input rules: what is passed
 * on, cut, changed, repeated, reflected or made up.
 *
 * Whatever happens there: a side reads only what the other has written, in its order; an end is
 * seen only when the other has ended, and then nothing is missing before it; the handshake succeeds
 * only with certificates that are good, and the server takes nobody for another.
 *
 * The input: which certificates and names there are (three bytes), then steps. A step is a byte,
 * the lowest bit of which is the side that it is about, and what it needs. */
#include "fuzz.h"
#include "test_certs.h"
#include "tls_name.h"
#include "tls_session.h"

#include <string.h>

#define STEPS_MAX 400
#define WIRE_MAX ((size_t)256 * 1024) /* bytes that may be under way on one side */
#define YEAR TEST_CERTS_YEAR

enum { CLIENT, SERVER, SIDES };

enum step {
    STEP_TAKE,   /* puts onto the wire what the side has to send */
    STEP_PASS,   /* hands some of the wire to the other side */
    STEP_READ,   /* reads some data */
    STEP_WRITE,  /* writes some data */
    STEP_SETTLE, /* takes, passes and shakes hands until nothing moves */
    STEP_END,
    STEP_DROP,    /* some of the wire is lost */
    STEP_CHANGE,  /* a byte of it is another */
    STEP_REPEAT,  /* some of it comes again */
    STEP_ROTATE,  /* some of it comes later */
    STEP_INSERT,  /* foreign bytes come first */
    STEP_REFLECT, /* what the side has sent comes back to it */
    STEP_COUNT
};

/* Certificates that a side may have. */
struct party {
    const char *name;   /* of its files */
    bool is_other;      /* of another authority */
    bool is_good;       /* the other side has to accept it */
    struct tls_peer is; /* a good client is this */
};

static const struct party clients[] = {
    {"agency-17", false, true, {TLS_PEER_AGENCY, 17}},
    {"server", false, true, {TLS_PEER_SERVER, 0}},
    {"agency-18", false, true, {TLS_PEER_AGENCY, 18}},
    {"expired", false, false, {TLS_PEER_AGENCY, 0}},
    {"nobody", false, false, {TLS_PEER_AGENCY, 0}},
    {"several", false, false, {TLS_PEER_AGENCY, 0}},
    {"revoked", false, false, {TLS_PEER_AGENCY, 0}},
    {"agency-17", true, false, {TLS_PEER_AGENCY, 0}},
};
static const struct party servers[] = {
    {"server", false, true, {TLS_PEER_SERVER, 0}},
    {"expired-server", false, false, {TLS_PEER_SERVER, 0}},
    {"server", true, false, {TLS_PEER_SERVER, 0}},
};
static const char *const names[] = {"localhost", "127.0.0.1", NULL, "central.example", ""};
#define GOOD_NAMES 3 /* the first of them */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct tls_context *client_contexts[COUNT(clients)];
static struct tls_context *server_contexts[COUNT(servers)];

/* One side of the conversation. */
struct side {
    struct tls_session *session;
    struct buffer wire;     /* sent, and under way */
    enum tls_result result; /* of the handshake so far */
    uint64_t written;       /* bytes of data */
    uint64_t read;
    bool has_ended;
};

static struct side sides[SIDES];
static const struct party *client;
static bool is_server_good; /* its certificate, and the name */

/* The data of a side at a place of its stream. */
static uint8_t data_at(unsigned from, uint64_t at)
{
    return (uint8_t)(at * 7 + (at >> 8) + from * 101);
}

static struct tls_context *make_context(struct test_certs *own, struct test_certs *other,
                                        enum tls_side side, const struct party *party)
{
    struct tls_files files = test_certs_files(party->is_other ? other : own, party->name);
    struct tls_context *context = NULL;
    struct errbuf err;

    files.ca = test_certs_path(own, "ca.crt");
    files.crl = test_certs_path(own, "ca.crl");
    FUZZ_CHECK(tls_context_create(side, &files, &context, &err) == STATUS_OK);
    return context;
}

static void issue_all(struct test_certs *certs)
{
    static const struct test_cert agency = {.names = {"URI:lottery:agency:18"}};
    static const struct test_cert expired = {
        .names = {"URI:lottery:agency:3", "DNS:localhost"}, .from_s = -YEAR, .end_s = -1};
    static const struct test_cert nobody = {.names = {"DNS:localhost"}};
    static const struct test_cert several = {
        .names = {"URI:lottery:agency:3", "URI:lottery:agency:4"}};

    test_certs_issue(certs, "agency-18", &agency);
    test_certs_issue(certs, "revoked", &agency);
    test_certs_issue(certs, "expired", &expired);
    test_certs_issue(certs, "expired-server", &expired);
    test_certs_issue(certs, "nobody", &nobody);
    test_certs_issue(certs, "several", &several);
    test_certs_revoke(certs, "revoked");
    test_certs_write_crl(certs, -YEAR, YEAR);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_fix_clock();
    struct test_certs *own = test_certs_create();
    struct test_certs *other = test_certs_create();
    issue_all(own);
    for (size_t i = 0; i < COUNT(clients); i++)
        client_contexts[i] = make_context(own, other, TLS_CLIENT, &clients[i]);
    for (size_t i = 0; i < COUNT(servers); i++)
        server_contexts[i] = make_context(own, other, TLS_SERVER, &servers[i]);
    test_certs_destroy(own);
    test_certs_destroy(other);
    return 0;
}

static void check_peer(void)
{
    const struct tls_peer *peer = tls_session_peer(sides[SERVER].session);

    FUZZ_CHECK(tls_session_peer(sides[CLIENT].session) == NULL);
    FUZZ_CHECK((peer != NULL) == (sides[SERVER].result == TLS_OK));
    if (peer != NULL)
        FUZZ_CHECK(peer->role == client->is.role && peer->agency == client->is.agency);
}

static void shake_hands(unsigned at)
{
    struct side *side = &sides[at];

    if (side->result != TLS_NEED_MORE)
        return;
    side->result = tls_session_handshake(side->session);
    FUZZ_CHECK(side->result != TLS_ENDED);
    if (side->result == TLS_OK)
        FUZZ_CHECK(is_server_good && (at == CLIENT || client->is_good));
    bool has_reason = tls_session_reason(side->session)[0] != '\0';
    FUZZ_CHECK(has_reason == (side->result == TLS_FAILED));
    check_peer();
}

static void take(unsigned at)
{
    struct side *side = &sides[at];

    FUZZ_CHECK(tls_session_take(side->session, &side->wire) == STATUS_OK);
    if (side->wire.size > WIRE_MAX)
        side->wire.size = WIRE_MAX;
}

/* Removes the first bytes of the wire. */
static void drop(struct side *side, size_t size)
{
    if (size == 0)
        return;
    memmove(side->wire.data, side->wire.data + size, side->wire.size - size);
    side->wire.size -= size;
}

static void feed(unsigned to, const char *bytes, size_t size)
{
    struct side *side = &sides[to];

    FUZZ_CHECK(tls_session_feed(side->session, (const uint8_t *)bytes, size) == STATUS_OK);
    shake_hands(to);
}

static void pass(unsigned from, size_t size)
{
    struct side *side = &sides[from];

    feed(!from, side->wire.data, size);
    drop(side, size);
}

static void settle(void)
{
    bool has_moved = true;

    shake_hands(CLIENT); /* which speaks first */
    while (has_moved) {
        has_moved = false;
        for (unsigned at = 0; at < SIDES; at++) {
            take(at);
            has_moved = has_moved || sides[at].wire.size > 0;
            pass(at, sides[at].wire.size);
        }
    }
}

static void read_data(unsigned at, size_t size)
{
    static uint8_t out[65536];
    struct side *side = &sides[at];
    const struct side *other = &sides[!at];
    size_t count;

    if (side->result == TLS_NEED_MORE)
        return;
    enum tls_result result = tls_session_read(side->session, out, size, &count);
    FUZZ_CHECK(count <= size && (result != TLS_OK || count == size));
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(out[i] == data_at(!at, side->read + i));
    side->read += count;
    FUZZ_CHECK(side->read <= other->written);
    if (count > 0)
        FUZZ_CHECK(side->result == TLS_OK && is_server_good && client->is_good);
    if (result == TLS_ENDED)
        FUZZ_CHECK(other->has_ended && side->read == other->written);
    FUZZ_CHECK((result == TLS_FAILED) == (tls_session_reason(side->session)[0] != '\0'));
}

static void write_data(unsigned at, size_t size)
{
    static uint8_t data[65536];
    struct side *side = &sides[at];

    if (side->result != TLS_OK || side->has_ended)
        return;
    for (size_t i = 0; i < size; i++)
        data[i] = data_at(at, side->written + i);
    enum status status = tls_session_write(side->session, data, size);
    FUZZ_CHECK(status == STATUS_OK || tls_session_reason(side->session)[0] != '\0');
    if (status == STATUS_OK)
        side->written += size;
}

static void insert(struct fuzz_input *input, struct side *side)
{
    struct text bytes = fuzz_text(input, 255, false);

    FUZZ_CHECK(buffer_reserve(&side->wire, bytes.size) == STATUS_OK);
    if (bytes.size > 0) {
        memmove(side->wire.data + bytes.size, side->wire.data, side->wire.size);
        memcpy(side->wire.data, bytes.data, bytes.size);
        side->wire.size += bytes.size;
    }
    fuzz_text_free(bytes);
}

/* Moves the first bytes of the wire to its end. */
static void rotate(struct side *side, size_t size)
{
    size_t total = side->wire.size;

    /* With room for them, so that they do not move while they are copied. */
    FUZZ_CHECK(buffer_reserve(&side->wire, size) == STATUS_OK);
    FUZZ_CHECK(buffer_append(&side->wire, side->wire.data, size) == STATUS_OK);
    drop(side, size);
    FUZZ_CHECK(side->wire.size == total);
}

/* Puts the first bytes of the wire once more before it. */
static void repeat(struct side *side, size_t size)
{
    FUZZ_CHECK(buffer_reserve(&side->wire, size) == STATUS_OK);
    if (size == 0)
        return;
    memmove(side->wire.data + size, side->wire.data, side->wire.size);
    side->wire.size += size;
}

static void disturb(struct fuzz_input *input, enum step step, unsigned at)
{
    struct side *side = &sides[at];
    size_t size = fuzz_uint(input, 2) % (side->wire.size + 1);

    if (step == STEP_DROP)
        drop(side, size);
    else if (step == STEP_CHANGE && size < side->wire.size)
        side->wire.data[size] = (char)(side->wire.data[size] ^ fuzz_byte(input));
    else if (step == STEP_REPEAT)
        repeat(side, size);
    else if (step == STEP_ROTATE)
        rotate(side, size);
    else if (step == STEP_INSERT)
        insert(input, side);
    else if (step == STEP_REFLECT)
        feed(at, side->wire.data, size);
}

static void take_step(struct fuzz_input *input)
{
    uint8_t byte = fuzz_byte(input);
    enum step step = (enum step)((byte >> 1) % STEP_COUNT);
    unsigned at = byte & 1;
    struct side *side = &sides[at];

    if (step == STEP_TAKE) {
        shake_hands(at);
        take(at);
    } else if (step == STEP_PASS) {
        size_t size = fuzz_uint(input, 2);
        pass(at, size == 0 || size > side->wire.size ? side->wire.size : size);
    } else if (step == STEP_READ) {
        read_data(at, fuzz_uint(input, 2));
    } else if (step == STEP_WRITE) {
        write_data(at, fuzz_uint(input, 2));
    } else if (step == STEP_SETTLE) {
        settle();
    } else if (step == STEP_END) {
        side->has_ended = side->has_ended || side->result == TLS_OK;
        tls_session_end(side->session);
    } else {
        disturb(input, step, at);
    }
}

static void begin(struct fuzz_input *input)
{
    size_t client_at = fuzz_byte(input) % COUNT(clients);
    size_t server_at = fuzz_byte(input) % COUNT(servers);
    size_t name_at = fuzz_byte(input) % COUNT(names);

    memset(sides, 0, sizeof(sides));
    client = &clients[client_at];
    is_server_good = servers[server_at].is_good && name_at < GOOD_NAMES;
    FUZZ_CHECK(tls_session_create(client_contexts[client_at], names[name_at],
                                  &sides[CLIENT].session) == STATUS_OK);
    FUZZ_CHECK(tls_session_create(server_contexts[server_at], NULL, &sides[SERVER].session) ==
               STATUS_OK);
    for (unsigned at = 0; at < SIDES; at++)
        sides[at].result = TLS_NEED_MORE;
}

/* A name that is accepted is written in the only way. */
static void check_name(struct text text)
{
    struct tls_peer peer = {TLS_PEER_AGENCY, 0};
    char name[64] = "lottery:server";

    if (!tls_name_parse(text, &peer))
        return;
    if (peer.role == TLS_PEER_AGENCY) {
        FUZZ_CHECK(peer.agency > 0);
        (void)snprintf(name, sizeof(name), "lottery:agency:%u", (unsigned)peer.agency);
    }
    FUZZ_CHECK(fuzz_text_equals(text, text_of(name)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    check_name((struct text){(const char *)data, size});
    begin(&input);
    for (unsigned steps = 0; input.size > 0 && steps < STEPS_MAX; steps++)
        take_step(&input);
    for (unsigned at = 0; at < SIDES; at++) {
        tls_session_destroy(sides[at].session);
        buffer_fini(&sides[at].wire);
    }
    return 0;
}

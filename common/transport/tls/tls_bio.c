#include "tls_bio.h"

#include "assertion.h"

#include <string.h>

#define RECORD_ALERT 21
#define RECORD_HANDSHAKE 22
#define RECORD_VERSION 3 /* the first byte of the version, of all versions */
#define RECORD_HEAD 5    /* kind, version, length (big endian) */
#define RECORD_MAX 16384 /* of a record that is not encrypted, without its head */

/* libssl has taken the first `count` bytes. */
static void tls_wire_took(struct tls_wire *wire, size_t count)
{
    if (wire->limit != SIZE_MAX)
        wire->taken += count;
    if (wire->in.size == 0) {
        wire->lent += count;
        wire->lent_size -= count;
        return;
    }
    wire->in_read += count;
    if (wire->in_read == wire->in.size) {
        buffer_fini(&wire->in);
        wire->in_read = 0;
    }
}

/* First what was kept, then what is lent. */
static int tls_bio_read(BIO *bio, char *out, size_t size, size_t *out_size)
{
    struct tls_wire *wire = BIO_get_data(bio);
    const bool is_lent = wire->in.size == 0;
    const char *data = is_lent ? wire->lent : wire->in.data + wire->in_read;
    size_t count = is_lent ? wire->lent_size : wire->in.size - wire->in_read;

    BIO_clear_retry_flags(bio);
    if (wire->is_stopped)
        return 0;
    if (count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if (count > size)
        count = size;
    if (count > wire->limit - wire->taken) {
        wire->is_over_limit = true;
        return 0;
    }
    memcpy(out, data, count);
    tls_wire_took(wire, count);
    *out_size = count;
    return 1;
}

static int tls_bio_write(BIO *bio, const char *data, size_t size, size_t *out_size)
{
    struct tls_wire *wire = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!wire->is_out_closed && buffer_append(&wire->out, data, size) != STATUS_OK) {
        wire->is_out_of_room = true;
        return 0;
    }
    *out_size = size;
    return 1;
}

static long tls_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *tls_bio_create_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tls_wire");

    if (method == NULL)
        return NULL;
    (void)BIO_meth_set_read_ex(method, tls_bio_read);
    (void)BIO_meth_set_write_ex(method, tls_bio_write);
    (void)BIO_meth_set_ctrl(method, tls_bio_ctrl);
    return method;
}

BIO *tls_bio_create(const BIO_METHOD *method, struct tls_wire *wire)
{
    BIO *bio = BIO_new(method);

    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
}

enum status tls_wire_feed(struct tls_wire *wire, const void *data, size_t size)
{
    enum status status = buffer_append(&wire->in, data, size);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < size && wire->first_size < sizeof(wire->first); i++)
        wire->first[wire->first_size++] = ((const uint8_t *)data)[i];
    return STATUS_OK;
}

void tls_wire_lend(struct tls_wire *wire, const void *data, size_t size)
{
    ASSERT(wire->lent_size == 0);
    wire->lent = data;
    wire->lent_size = size;
}

enum status tls_wire_keep(struct tls_wire *wire)
{
    const size_t size = wire->lent_size;

    wire->lent_size = 0;
    return size > 0 ? buffer_append(&wire->in, wire->lent, size) : STATUS_OK;
}

enum status tls_wire_take(struct tls_wire *wire, struct buffer *out)
{
    enum status status = STATUS_OK;

    if (wire->out.size == 0)
        return status;
    if (out->data == NULL) {
        *out = wire->out;
        wire->out = (struct buffer){NULL, 0, 0};
        return status;
    }
    status = buffer_append(out, wire->out.data, wire->out.size);
    if (status == STATUS_OK)
        buffer_fini(&wire->out);
    return status;
}

void tls_wire_forget_input(struct tls_wire *wire)
{
    buffer_fini(&wire->in);
    wire->in_read = 0;
    wire->lent_size = 0;
}

bool tls_wire_looks_like_tls(const struct tls_wire *wire)
{
    if (wire->first_size > 0 && wire->first[0] != RECORD_HANDSHAKE &&
        wire->first[0] != RECORD_ALERT)
        return false;
    return wire->first_size < 2 || wire->first[1] == RECORD_VERSION;
}

bool tls_wire_may_begin(const struct tls_wire *wire)
{
    const uint8_t *head = (const uint8_t *)wire->in.data;

    if (wire->taken > 0)
        return true;
    if (wire->in.size < RECORD_HEAD)
        return false;
    size_t size = (size_t)head[3] << 8 | head[4];
    return size > RECORD_MAX || wire->in.size >= RECORD_HEAD + size;
}

void tls_wire_fini(struct tls_wire *wire)
{
    buffer_fini(&wire->in);
    buffer_fini(&wire->out);
}

#include "note_key.h"

#include "assertion.h"
#include "base64.h"
#include "hex.h"
#include "sha256.h"
#include "text_reader.h"
#include "utf8_sequence.h"

#define TYPE_ED25519 0x01
#define TYPED_KEY_SIZE (1 + ED25519_PUBLIC_SIZE)

/* The character of a well-formed sequence of two or three bytes; 0 for one of four, as no space has
 * four. */
static uint32_t note_key_character(const unsigned char *p, size_t size)
{
    if (size == 2)
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    if (size == 3)
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    return 0;
}

/* Unicode's white space outside of ASCII, and the control characters there. */
static bool note_key_is_space(uint32_t c)
{
    return (c >= 0x80 && c <= 0xa0) || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool note_key_is_name(struct text name)
{
    for (size_t i = 0; i < name.size;) {
        const unsigned char *p = (const unsigned char *)name.data + i;
        if (*p < 0x80) {
            if (*p <= ' ' || *p == '+' || *p == 0x7f)
                return false;
            i++;
            continue;
        }
        size_t size = utf8_sequence_size(p, name.size - i);
        if (size == 0 || note_key_is_space(note_key_character(p, size)))
            return false;
        i += size;
    }
    return name.size > 0;
}

enum status note_key_init(struct note_key *key, const char *name,
                          const uint8_t public_key[ED25519_PUBLIC_SIZE])
{
    char hashed[NOTE_NAME_MAX + 1 + TYPED_KEY_SIZE];
    uint8_t digest[SHA256_SIZE];
    size_t size = strlen(name);

    ASSERT(size <= NOTE_NAME_MAX && note_key_is_name((struct text){name, size}));
    memcpy(hashed, name, size + 1);
    hashed[size] = '\n';
    hashed[size + 1] = TYPE_ED25519;
    memcpy(hashed + size + 2, public_key, ED25519_PUBLIC_SIZE);
    enum status status = sha256_of((struct text){hashed, size + 1 + TYPED_KEY_SIZE}, digest);
    if (status != STATUS_OK)
        return status;
    memcpy(key->name, name, size + 1);
    memcpy(key->id, digest, NOTE_KEY_ID_SIZE);
    memcpy(key->public_key, public_key, ED25519_PUBLIC_SIZE);
    return STATUS_OK;
}

enum status note_key_parse(struct text vkey, struct note_key *out, struct errbuf *err)
{
    struct text_reader reader = {vkey, false};
    uint8_t id[NOTE_KEY_ID_SIZE] = {0};
    uint8_t typed[TYPED_KEY_SIZE];
    struct text name = text_reader_until(&reader, '+');
    char string[NOTE_NAME_MAX + 1];
    struct note_key key;

    text_reader_hex(&reader, id, sizeof(id));
    text_reader_literal(&reader, "+");
    if (reader.is_bad || name.size > NOTE_NAME_MAX || !note_key_is_name(name)) {
        errbuf_set(err, "not a key like lottery+1234abcd+<base64>");
        return STATUS_INVALID;
    }
    if (!base64_decode(reader.rest, typed, sizeof(typed)) || typed[0] != TYPE_ED25519) {
        errbuf_set(err, "not the base64 of a key for Ed25519");
        return STATUS_INVALID;
    }
    memcpy(string, name.data, name.size);
    string[name.size] = '\0';
    enum status status = note_key_init(&key, string, typed + 1);
    if (status != STATUS_OK)
        return status;
    if (memcmp(key.id, id, sizeof(id)) != 0) {
        errbuf_set(err, "its id is not that of its key; a typing error?");
        return STATUS_INVALID;
    }
    *out = key;
    return STATUS_OK;
}

void note_key_format(const struct note_key *key, char out[NOTE_VKEY_SIZE])
{
    uint8_t typed[TYPED_KEY_SIZE] = {TYPE_ED25519};
    size_t size = strlen(key->name);

    memcpy(typed + 1, key->public_key, ED25519_PUBLIC_SIZE);
    memcpy(out, key->name, size);
    out += size;
    *out++ = '+';
    out = hex_encode(key->id, sizeof(key->id), out);
    *out++ = '+';
    *base64_encode(typed, sizeof(typed), out) = '\0';
}

#include "page_policy.h"

#include "base64.h"
#include "sha256.h"

#include <stdint.h>
#include <stdio.h>

#define HASH_SIZE (BASE64_SIZE(SHA256_SIZE) + 1) /* a digest in base64, as a string */

/* Where the first `tag` begins; NULL: nowhere. */
static const char *page_policy_find(struct text html, const char *tag)
{
    return memmem(html.data, html.size, tag, strlen(tag));
}

/* The text from `from` to the end of `html`. */
static struct text page_policy_rest(struct text html, const char *from)
{
    return (struct text){from, html.size - (size_t)(from - html.data)};
}

/* What is between the only `open` and the only `close`. False: there is not exactly one of each, in
 * this order. */
static bool page_policy_between(struct text html, const char *open, const char *close,
                                struct text *out)
{
    const char *begin = page_policy_find(html, open);
    if (begin == NULL)
        return false;
    begin += strlen(open);

    const struct text rest = page_policy_rest(html, begin);
    const char *end = page_policy_find(rest, close);
    if (end == NULL || page_policy_find(rest, open) != NULL)
        return false;

    const struct text after = page_policy_rest(html, end + strlen(close));
    const struct text before = {html.data, (size_t)(begin - html.data)};
    if (page_policy_find(after, close) != NULL || page_policy_find(before, close) != NULL)
        return false;
    *out = (struct text){begin, (size_t)(end - begin)};
    return true;
}

/* The hash of an element's text, as a policy has it: a browser hashes every byte between the tags.
 */
static enum status page_policy_hash(struct text html, const char *open, const char *close,
                                    char out[HASH_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    struct text element;

    if (!page_policy_between(html, open, close, &element))
        return STATUS_MALFORMED;
    const enum status status = sha256_of(element, digest);
    if (status != STATUS_OK)
        return status;
    *base64_encode(digest, sizeof(digest), out) = '\0';
    return STATUS_OK;
}

enum status page_policy_write(struct text html, char out[PAGE_POLICY_SIZE])
{
    char script[HASH_SIZE];
    char style[HASH_SIZE];

    enum status status = page_policy_hash(html, "<script>", "</script>", script);
    if (status == STATUS_OK)
        status = page_policy_hash(html, "<style>", "</style>", style);
    if (status != STATUS_OK)
        return status;
    /* data: is for the page's icon, which would be a file of its own otherwise. */
    (void)snprintf(out, PAGE_POLICY_SIZE,
                   "default-src 'self'; img-src 'self' data:; script-src 'sha256-%s'; "
                   "style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; "
                   "frame-ancestors 'none'",
                   script, style);
    return STATUS_OK;
}

/* The live page in the binary, and the policy that goes with it. */
#include "base64.h"
#include "cmocka_all.h"
#include "guard.h"
#include "page.h"
#include "page_policy.h"
#include "sha256.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Byte for byte what is in the file, and nothing after it. */
static void test_page_is_the_file(void **state)
{
    const struct text html = page_html();
    struct stat info;

    (void)state;
    const int fd = open(PAGE_FILE, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    char *file = malloc((size_t)info.st_size);
    assert_non_null(file);
    assert_int_equal(read(fd, file, (size_t)info.st_size), info.st_size);
    assert_int_equal(close(fd), 0);
    assert_int_equal(html.size, info.st_size);
    assert_memory_equal(html.data, file, html.size);
    free(file);
}

/* `name-src 'sha256-...'` of what is between these tags of the page. */
static void page_expect_hash(const char *name, const char *open_tag, const char *close_tag)
{
    const struct text html = page_html();
    uint8_t digest[SHA256_SIZE];
    char hash[BASE64_SIZE(SHA256_SIZE) + 1];
    char expected[128];

    const char *begin = memmem(html.data, html.size, open_tag, strlen(open_tag));
    assert_non_null(begin);
    begin += strlen(open_tag);
    const char *end =
        memmem(begin, html.size - (size_t)(begin - html.data), close_tag, strlen(close_tag));
    assert_non_null(end);
    assert_int_equal(sha256_of((struct text){begin, (size_t)(end - begin)}, digest), STATUS_OK);
    *base64_encode(digest, sizeof(digest), hash) = '\0';
    (void)snprintf(expected, sizeof(expected), "; %s 'sha256-%s'; ", name, hash);
    assert_non_null(strstr(page_policy(), expected));
}

/* The policy has the hashes of the page's own script and style, and allows nothing from elsewhere.
 */
static void test_page_policy_of_the_page(void **state)
{
    (void)state;
    assert_string_equal(page_policy(), "");
    assert_int_equal(page_init(), STATUS_OK);
    assert_int_equal(page_init(), STATUS_OK);
    page_expect_hash("script-src", "<script>", "</script>");
    page_expect_hash("style-src", "<style>", "</style>");
    assert_non_null(strstr(page_policy(), "default-src 'self'; "));
    assert_non_null(strstr(page_policy(), "; base-uri 'none'; form-action 'none'; "
                                          "frame-ancestors 'none'"));
    assert_null(strstr(page_policy(), "unsafe"));
    assert_null(strstr(page_policy(), "http"));
    assert_null(strchr(page_policy(), '\n'));
}

/* Known answers: the digests are those of sha256sum and base64. */
static void test_page_policy_known(void **state)
{
    char policy[PAGE_POLICY_SIZE];

    (void)state;
    assert_int_equal(page_policy_write(text_of("<style>abc</style><script></script>"), policy),
                     STATUS_OK);
    assert_string_equal(policy, "default-src 'self'; img-src 'self' data:; "
                                "script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
                                "style-src 'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='; "
                                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

/* A page for which there is no such policy is refused; none of its bytes' neighbours is read. */
static void test_page_policy_malformed(void **state)
{
    static const char *const pages[] = {
        "",
        "<",
        "<style>",
        "<script>a</script>",
        "<style>a</style>",
        "<style>a</style><script>a",
        "<style>a</style><script>a</script",
        "<style>a</style></script><script>",
        "<style>a<script>b</script>",
        "<style>a</style><script src=x></script>",
        "<style>a</style><script>a</script><script>b</script>",
        "<style>a</style><style>b</style><script>a</script>",
        "<style>a</style><script>a</script></script>",
        "</style><style>a</style><script>a</script>",
    };
    char policy[PAGE_POLICY_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(pages); i++) {
        const size_t size = strlen(pages[i]);
        struct guarded page = guarded_copy(pages[i], size);
        const struct text html = {(const char *)page.bytes, size};
        if (page_policy_write(html, policy) != STATUS_MALFORMED)
            fail_msg("not refused: %s", pages[i]);
        guarded_free(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_the_file),
        cmocka_unit_test(test_page_policy_of_the_page),
        cmocka_unit_test(test_page_policy_known),
        cmocka_unit_test(test_page_policy_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

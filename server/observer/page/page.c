#include "page.h"

#include "page_policy.h"

#include <stdint.h>

/* The file goes into the binary as it is; the build says where it lies (PAGE_FILE). */
__asm__(".pushsection .rodata\n"
        ".globl page_html_begin\n"
        ".globl page_html_end\n"
        "page_html_begin:\n"
        ".incbin \"" PAGE_FILE "\"\n"
        "page_html_end:\n"
        ".byte 0\n"
        ".popsection\n");

extern const char page_html_begin[];
extern const char page_html_end[];

static char policy[PAGE_POLICY_SIZE]; /* written once, by page_init() */

enum status page_init(void)
{
    return policy[0] != '\0' ? STATUS_OK : page_policy_write(page_html(), policy);
}

struct text page_html(void)
{
    /* To the compiler these are two objects, whose addresses it may only compare as numbers. */
    return (struct text){page_html_begin,
                         (size_t)((uintptr_t)page_html_end - (uintptr_t)page_html_begin)};
}

const char *page_policy(void)
{
    return policy;
}

/* crc32c.h - the CRC-32C checksum (Castagnoli; RFC 3720 appendix B.4 has test vectors). */
#ifndef LOTTERY_CRC32C_H
#define LOTTERY_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to start) over `size` bytes. Uses the processor's instruction if it has one
 * (x86-64 and arm64). */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

/* The same with tables, in plain C, for all other processors. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif

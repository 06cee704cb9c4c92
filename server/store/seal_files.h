/* seal_files.h - the names of the files that a seal leaves in a draw's directory. docs/protocol.md
 * has what is in them.
 */
#ifndef LOTTERY_STORE_SEAL_FILES_H
#define LOTTERY_STORE_SEAL_FILES_H

#define SEAL_NAME "seal.txt"           /* a signed note with the root */
#define SEAL_LEAVES_NAME "seal.leaves" /* the tree's leaves, a line each */
#define RESULT_NAME "result.txt"       /* a signed note with the number */

#endif

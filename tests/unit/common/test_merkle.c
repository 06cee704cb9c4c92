#include "alloc_fault.h"
#include "cmocka_all.h"
#include "hex.h"
#include "merkle.h"
#include "prng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The leaves of Certificate Transparency's tests, and the roots of the first 0..8 of them. */
static const struct text ct_leaves[] = {
    {"", 0},
    {"\x00", 1},
    {"\x10", 1},
    {"\x20\x21", 2},
    {"\x30\x31", 2},
    {"\x40\x41\x42\x43", 4},
    {"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
    {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16},
};
static const char *const ct_roots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static struct merkle_hash hash_of(const char *digits)
{
    struct merkle_hash hash;

    assert_true(hex_decode(text_of(digits), hash.bytes, sizeof(hash.bytes)));
    return hash;
}

static void assert_same(const struct merkle_hash *a, const struct merkle_hash *b)
{
    assert_memory_equal(a->bytes, b->bytes, sizeof(a->bytes));
}

/* The tree of `leaves` numbers as text, "0", "1", ... */
static struct merkle tree_of(size_t leaves)
{
    struct merkle tree;
    char text[16];

    assert_int_equal(merkle_init(&tree), STATUS_OK);
    for (size_t i = 0; i < leaves; i++) {
        int size = snprintf(text, sizeof(text), "%zu", i);
        assert_int_equal(merkle_add(&tree, (struct text){text, (size_t)size}), STATUS_OK);
    }
    assert_int_equal(merkle_finish(&tree), STATUS_OK);
    return tree;
}

static void test_known_roots(void **state)
{
    (void)state;
    for (size_t leaves = 0; leaves < COUNT(ct_roots); leaves++) {
        struct merkle_hash expected = hash_of(ct_roots[leaves]);
        struct merkle tree;
        assert_int_equal(merkle_init(&tree), STATUS_OK);
        for (size_t i = 0; i < leaves; i++)
            assert_int_equal(merkle_add(&tree, ct_leaves[i]), STATUS_OK);
        assert_int_equal(merkle_finish(&tree), STATUS_OK);
        struct merkle_hash root = merkle_root(&tree);
        assert_same(&root, &expected);
        merkle_fini(&tree);
    }
}

/* Certificate Transparency's own proofs for these leaves. */
static void test_known_proofs(void **state)
{
    static const struct {
        size_t index, leaves, count;
        const char *hashes[3];
    } cases[] = {
        {0, 1, 0, {NULL}},
        {0,
         8,
         3,
         {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
        {5,
         8,
         3,
         {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
        {2, 3, 1, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
        {1,
         5,
         3,
         {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct merkle_hash proof[MERKLE_PROOF_MAX];
        struct merkle tree;
        assert_int_equal(merkle_init(&tree), STATUS_OK);
        for (size_t leaf = 0; leaf < cases[i].leaves; leaf++)
            assert_int_equal(merkle_add(&tree, ct_leaves[leaf]), STATUS_OK);
        assert_int_equal(merkle_finish(&tree), STATUS_OK);
        assert_int_equal(merkle_prove(&tree, cases[i].index, proof), cases[i].count);
        for (size_t k = 0; k < cases[i].count; k++) {
            struct merkle_hash expected = hash_of(cases[i].hashes[k]);
            assert_same(&proof[k], &expected);
        }
        merkle_fini(&tree);
    }
}

/* The root as RFC 6962, section 2.1, defines it, from the hashes of the leaves. */
static struct merkle_hash root_by_definition(const struct merkle_hash *leaves, size_t count)
{
    char node[1 + 2 * SHA256_SIZE] = {1};
    struct merkle_hash root;
    size_t split = 1;

    if (count == 1)
        return leaves[0];
    while (split * 2 < count)
        split *= 2;
    struct merkle_hash left = root_by_definition(leaves, split);
    struct merkle_hash right = root_by_definition(leaves + split, count - split);
    memcpy(node + 1, left.bytes, SHA256_SIZE);
    memcpy(node + 1 + SHA256_SIZE, right.bytes, SHA256_SIZE);
    assert_int_equal(sha256_of((struct text){node, sizeof(node)}, root.bytes), STATUS_OK);
    return root;
}

/* Nothing but this proof shows that this leaf is there, at this index, in a tree of this size. */
static void check_alterations(const struct merkle *tree, size_t index,
                              const struct merkle_hash *proof, size_t count,
                              const struct merkle_hash *root, struct prng *prng)
{
    struct merkle_hash other[MERKLE_PROOF_MAX + 1] = {{{0}}};
    struct merkle_hash leaf = tree->hashes[index];
    size_t size = tree->leaves;

    for (size_t i = 0; i < count; i++) { /* a flipped bit in each hash */
        memcpy(other, proof, count * sizeof(*proof));
        other[i].bytes[prng_below(prng, SHA256_SIZE)] ^= (uint8_t)(1U << prng_below(prng, 8));
        assert_int_equal(merkle_verify(&leaf, index, size, other, count, root), STATUS_MISMATCH);
    }
    memcpy(other, proof, count * sizeof(*proof));
    assert_int_equal(merkle_verify(&leaf, index, size, other, count + 1, root), STATUS_INVALID);
    if (count > 0) {
        assert_int_equal(merkle_verify(&leaf, index, size, other, count - 1, root), STATUS_INVALID);
        assert_int_equal(merkle_verify(&leaf, index, size, other + 1, count - 1, root),
                         STATUS_INVALID);
    }
    for (size_t wrong = 0; wrong < size; wrong++) {
        if (wrong != index)
            assert_true(merkle_verify(&leaf, wrong, size, proof, count, root) != STATUS_OK);
    }
    assert_int_equal(merkle_verify(&leaf, size, size, proof, count, root), STATUS_INVALID);
    assert_int_equal(merkle_verify(&leaf, index, 0, proof, count, root), STATUS_INVALID);
    leaf.bytes[0] ^= 1;
    assert_int_equal(merkle_verify(&leaf, index, size, proof, count, root), STATUS_MISMATCH);
}

/* All trees of 1..70 leaves: the root is that of the definition, each leaf's proof shows it, and
 * nothing that differs from it does. */
static void test_all_small_trees(void **state)
{
    struct prng prng = {3};

    (void)state;
    for (size_t leaves = 1; leaves <= 70; leaves++) {
        struct merkle tree = tree_of(leaves);
        struct merkle_hash root = merkle_root(&tree);
        struct merkle_hash expected = root_by_definition(tree.hashes, leaves);
        assert_same(&root, &expected);
        for (size_t index = 0; index < leaves; index++) {
            struct merkle_hash proof[MERKLE_PROOF_MAX];
            size_t count = merkle_prove(&tree, index, proof);
            assert_int_equal(merkle_verify(&tree.hashes[index], index, leaves, proof, count, &root),
                             STATUS_OK);
            check_alterations(&tree, index, proof, count, &root, &prng);
        }
        merkle_fini(&tree);
    }
}

/* Each bit of a proof, its leaf and the root counts. */
static void test_every_bit(void **state)
{
    struct merkle tree = tree_of(11);
    struct merkle_hash root = merkle_root(&tree);
    struct merkle_hash parts[MERKLE_PROOF_MAX + 2] = {tree.hashes[9], root};
    size_t count = merkle_prove(&tree, 9, parts + 2);

    (void)state;
    assert_int_equal(count, 3);
    for (size_t bit = 0; bit < (count + 2) * SHA256_SIZE * 8; bit++) {
        uint8_t *byte = &parts[bit / 8 / SHA256_SIZE].bytes[bit / 8 % SHA256_SIZE];
        *byte ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(merkle_verify(&parts[0], 9, 11, parts + 2, count, &parts[1]),
                         STATUS_MISMATCH);
        *byte ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(merkle_verify(&parts[0], 9, 11, parts + 2, count, &parts[1]), STATUS_OK);
    merkle_fini(&tree);
}

/* As many agencies as there may be: a proof has at most 14 hashes. */
static void test_large_tree(void **state)
{
    struct merkle tree = tree_of(10001);
    struct merkle_hash root = merkle_root(&tree);
    struct merkle_hash expected = root_by_definition(tree.hashes, 10001);

    (void)state;
    assert_same(&root, &expected);
    for (size_t index = 0; index < 10001; index += 123) {
        struct merkle_hash proof[MERKLE_PROOF_MAX];
        size_t count = merkle_prove(&tree, index, proof);
        assert_in_range(count, 5, 14);
        assert_int_equal(merkle_verify(&tree.hashes[index], index, 10001, proof, count, &root),
                         STATUS_OK);
    }
    merkle_fini(&tree);
}

/* Sizes and indices that only a liar names end at once. */
static void test_absurd(void **state)
{
    struct merkle_hash proof[MERKLE_PROOF_MAX] = {{{0}}};
    struct merkle_hash any = {{0}};

    (void)state;
    for (size_t count = 0; count < MERKLE_PROOF_MAX; count++)
        assert_int_equal(merkle_verify(&any, 0, UINT64_MAX, proof, count, &any), STATUS_INVALID);
    assert_int_equal(merkle_verify(&any, 0, UINT64_MAX, proof, 64, &any), STATUS_MISMATCH);
    assert_int_equal(merkle_verify(&any, UINT64_MAX - 1, UINT64_MAX, proof, 63, &any),
                     STATUS_MISMATCH);
    assert_int_equal(merkle_verify(&any, UINT64_MAX, UINT64_MAX, proof, 64, &any), STATUS_INVALID);
    assert_int_equal(merkle_verify(&any, 0, 1, proof, 0, &any), STATUS_OK);
}

/* A leaf's hash is that of a leaf in a tree, and never that of a node. */
static void test_leaf_hash(void **state)
{
    struct merkle tree = tree_of(2);
    char node[2 * SHA256_SIZE];
    struct merkle_hash hash;
    struct merkle_hash root = merkle_root(&tree);

    (void)state;
    assert_int_equal(merkle_leaf_hash(text_of("1"), &hash), STATUS_OK);
    assert_same(&hash, &tree.hashes[1]);
    memcpy(node, tree.hashes, sizeof(node));
    assert_int_equal(merkle_leaf_hash((struct text){node, sizeof(node)}, &hash), STATUS_OK);
    assert_memory_not_equal(hash.bytes, root.bytes, SHA256_SIZE);
    merkle_fini(&tree);
}

/* Without memory a tree stays as it is, and can be continued. */
static void test_no_memory(void **state)
{
    struct merkle_hash expected;
    struct merkle tree;
    unsigned failures = 0;

    (void)state;
    assert_int_equal(merkle_init(&tree), STATUS_OK);
    for (size_t i = 0; i < 100; i++) {
        alloc_fault_after(0);
        enum status status = merkle_add(&tree, text_of("x"));
        if (alloc_fault_end()) {
            failures++;
            assert_int_equal(status, STATUS_NOMEM);
            assert_int_equal(merkle_add(&tree, text_of("x")), STATUS_OK);
        }
        assert_int_equal(tree.leaves, i + 1);
    }
    assert_int_equal(failures, 2);
    alloc_fault_after(0);
    assert_int_equal(merkle_finish(&tree), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(merkle_finish(&tree), STATUS_OK);
    expected = root_by_definition(tree.hashes, 100);
    struct merkle_hash root = merkle_root(&tree);
    assert_same(&root, &expected);
    merkle_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_roots),     cmocka_unit_test(test_known_proofs),
        cmocka_unit_test(test_all_small_trees), cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_large_tree),      cmocka_unit_test(test_absurd),
        cmocka_unit_test(test_leaf_hash),       cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Packing an MFN and flags into a page-table entry. Without this test an MFN could lose its upper
 * bits, or gain a bit from the flags. No host that runs the boot tests has frames above 2^46 bytes,
 * so only a user's host would show the bug: a mask of 46 bits is the bug for which the
 * MAXPHYS_SIZE ELF note was proposed.
 */
#include "tests/unit/harness.h"

#include "arch/x86/pte.h"

static const uint64_t mfns[] = {
    0,
    1,
    0xfffff,
    0x100000,
    (uint64_t)1 << 32,
    ((uint64_t)1 << 34) - 1,
    (uint64_t)1 << 34, /* 46 bits of address: more than Linux could hold in 2017 */
    (uint64_t)1 << 35,
    ((uint64_t)1 << 36) + 0x123,
    (uint64_t)1 << 39,
    ((uint64_t)1 << 40) - 1,
};

static const uint64_t flag_sets[] = {
    0, PTE_P, PTE_RO, PTE_RW, PTE_RX, PTE_TABLE, PTE_RW | PTE_PSE, 0x0000000000000fff,
    /* the software bits 11:9 and 62:52 (which include protection keys), and NX */
    0x0000000000000e00, 0x7ff0000000000000, 0xfff0000000000fff};

static void test_every_mfn_with_all_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mfns); i++)
        for (size_t k = 0; k < ARRAY_SIZE(flag_sets); k++) {
            uint64_t pte = pte_make(to_mfn(mfns[i]), flag_sets[k]);

            check_equal("MFN of a packed PTE", pte_mfn(pte).v, mfns[i]);
            check_equal("flags of a packed PTE", pte & ~PTE_MFN_MASK, flag_sets[k]);
            check_equal("value of a packed PTE", pte, mfns[i] * 4096 + flag_sets[k]);
        }
}

static void test_each_bit_is_either_mfn_or_flag(void **state)
{
    (void)state;
    check_equal("PTE_MFN_MASK", PTE_MFN_MASK, 0x000ffffffffff000);
    for (unsigned int bit = 0; bit < 64; bit++) {
        uint64_t pte = (uint64_t)1 << bit;
        bool address = bit >= 12 && bit <= 51;

        check_equal("MFN of a bit", pte_mfn(pte).v, address ? pte >> 12 : 0);
        check_equal("flag of a bit", pte & ~PTE_MFN_MASK, address ? 0 : pte);
    }
}

static void test_mfn_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mfns); i++)
        check_true("an MFN below 2^40 is valid", mfn_valid(to_mfn(mfns[i])));
    check_true("MFN 2^40 is not valid", !mfn_valid(to_mfn((uint64_t)1 << 40)));
    check_true("an MFN with Linux's identity flag is not valid",
               !mfn_valid(to_mfn((uint64_t)1 << 62 | 0x1000)));
    check_true("an MFN with Linux's foreign flag is not valid",
               !mfn_valid(to_mfn((uint64_t)1 << 63 | 0x1000)));
    check_true("INVALID_MFN is not valid", !mfn_valid(INVALID_MFN));
}

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mfns); i++) {
        check_equal("MFN to machine address and back",
                    maddr_to_mfn(mfn_to_maddr(to_mfn(mfns[i]))).v, mfns[i]);
        check_equal("MFN of the last byte of a frame",
                    maddr_to_mfn(mfn_to_maddr(to_mfn(mfns[i])) + 4095).v, mfns[i]);
    }
}

static void test_levels(void **state)
{
    static const struct {
        uint64_t va;
        unsigned int index[PT_LEVELS]; /* of level 1, 2, 3, 4 */
    } rows[] = {
        {0,                  {0, 0, 0, 0}        },
        {0xfff,              {0, 0, 0, 0}        },
        {0x1000,             {1, 0, 0, 0}        },
        {0x1ff000,           {511, 0, 0, 0}      },
        {0x200000,           {0, 1, 0, 0}        },
        {0x40000000,         {0, 0, 1, 0}        },
        {0x8000000000,       {0, 0, 0, 1}        },
        {0xffff800000000000, {0, 0, 0, 256}      },
        {0xffffc90000000000, {0, 0, 0, 402}      },
        {0xffffffff80000000, {0, 0, 510, 511}    },
        {0xffffffffffffffff, {511, 511, 511, 511}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (unsigned int level = 1; level <= PT_LEVELS; level++)
            check_equal("pte_index of an address", pte_index(rows[i].va, level),
                        rows[i].index[level - 1]);
    check_equal("level_bytes(1), 4 KiB", level_bytes(1), (uint64_t)1 << 12);
    check_equal("level_bytes(2), 2 MiB", level_bytes(2), (uint64_t)1 << 21);
    check_equal("level_bytes(3), 1 GiB", level_bytes(3), (uint64_t)1 << 30);
    check_equal("level_bytes(4), 512 GiB", level_bytes(4), (uint64_t)1 << 39);
}

static void test_leaf_or_table(void **state)
{
    (void)state;
    check_true("a level 1 entry is a leaf", pte_is_leaf(PTE_RW, 1));
    check_true("a level 1 entry with the PAT bit is a leaf", pte_is_leaf(PTE_RW | PTE_PSE, 1));
    check_true("a 2 MiB page is a leaf", pte_is_leaf(PTE_RW | PTE_PSE, 2));
    check_true("a 1 GiB page is a leaf", pte_is_leaf(PTE_RW | PTE_PSE, 3));
    check_true("an entry that names a table is no leaf",
               !pte_is_leaf(PTE_TABLE, 2) && !pte_is_leaf(PTE_TABLE, 4));
    check_true("an entry with PTE_P is present", pte_present(PTE_RO) && pte_present(PTE_TABLE));
    check_true("an entry without PTE_P is not present", !pte_present(0) && !pte_present(~PTE_P));
}

static void test_canonical(void **state)
{
    static const struct {
        uint64_t va;
        bool canonical;
    } rows[] = {
        {0,                  true },
        {0x00007fffffffffff, true },
        {0x0000800000000000, false},
        {0x0001000000000000, false},
        {0x7fffffffffffffff, false},
        {0x8000000000000000, false},
        {0xffff7fffffffffff, false},
        {0xffff800000000000, true },
        {0xffffffffffffffff, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_equal("va_canonical of an address", va_canonical(rows[i].va), rows[i].canonical);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mfn_with_all_flags),
        cmocka_unit_test(test_each_bit_is_either_mfn_or_flag),
        cmocka_unit_test(test_mfn_valid),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_leaf_or_table),
        cmocka_unit_test(test_canonical),
    };

    return cmocka_run_group_tests_name("page-table entries", tests, NULL, NULL);
}

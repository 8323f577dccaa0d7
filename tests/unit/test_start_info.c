/* SPDX-License-Identifier: MIT */
/*
 * Without this a builder's mistake would be found where it hurts, as a page fault in some table
 * walk. Each field that the kernel uses is spoilt in turn; the refusal must name the field, what
 * was found there, and what was expected.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include "xen/start_info.h"

#include <string.h>

#define NR_PAGES ((uint64_t)3000)

static const uint64_t sizes[] = {9000, 0};
static struct guest g;
static struct boot_info info;
static struct start_info si;

static void start(enum fake_list list, uint64_t ramdisk_pages)
{
    const struct fake_shape shape = {
        .nr_pages = NR_PAGES, .list = list, .ramdisk_pages = ramdisk_pages};

    guest_start(&g, &shape, sizes, 0);
    si = *g.domain.start_info;
}

static void read_info(void *from)
{
    start_info_read(&info, from, &g.pt);
}

static void test_dom0(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 5);
    si.mod_len -= 4095; /* the last page of it holds one byte */
    start_info_read(&info, &si, &g.pt);
    memset(&si, 0x5a, sizeof(si)); /* everything was copied */

    check_true("dom0", boot_info_is_initdomain(&info));
    check_equal("pages", info.nr_pages, NR_PAGES);
    check_equal("list", info.list_va, FAKE_LIST_BASE);
    check_equal("list's PFN", info.list_pfn, g.domain.list_pfn);
    check_equal("list's pages", info.nr_list_pfns, DIV_ROUND_UP(NR_PAGES, 512) + 3);
    check_equal("shared_info", info.shared_info, g.domain.shared_info);
    check_equal("ramdisk", info.ramdisk_va, g.domain.ramdisk_va);
    check_equal("its PFN", info.ramdisk_pfn, boot_pfn(g.domain.ramdisk_va));
    check_equal("its bytes", info.ramdisk_bytes, 4 * PAGE_SIZE + 1);
    check_equal("its pages", boot_info_ramdisk_pages(&info), 5);
    check_equal("no console ring", info.console.v, INVALID_ENTRY);
    check_equal("no store ring", info.store.v, INVALID_ENTRY);
    assert_string_equal(info.cmdline, "test=all");
}

static void test_domu(void **state)
{
    (void)state;
    start(FAKE_LIST_IN_KERNEL, 0);
    si.flags = SIF_VIRT_P2M_4TOOLS | SIF_MOD_START_PFN;
    si.mod_start = NR_PAGES - 7;
    si.mod_len = 7 * PAGE_SIZE;
    si.console.domU.mfn = 0x1234;
    si.store_mfn = ((uint64_t)1 << 40) - 1;
    start_info_read(&info, &si, &g.pt);

    check_true("domU", !boot_info_is_initdomain(&info));
    check_equal("flags", info.flags, SIF_VIRT_P2M_4TOOLS | SIF_MOD_START_PFN);
    check_equal("list", info.list_va, (uintptr_t)g.domain.list);
    check_equal("no PFNs of its own", info.nr_list_pfns, 0);
    check_equal("ramdisk is not mapped", info.ramdisk_va, 0);
    check_equal("its PFN", info.ramdisk_pfn, NR_PAGES - 7);
    check_equal("console", info.console.v, 0x1234);
    check_equal("store", info.store.v, ((uint64_t)1 << 40) - 1);
}

static void test_no_ramdisk(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 0);
    si.mod_start = 0xdeadbeef; /* means nothing then */
    start_info_read(&info, &si, &g.pt);
    check_equal("bytes", info.ramdisk_bytes, 0);
    check_equal("address", info.ramdisk_va, 0);
    check_equal("pages", boot_info_ramdisk_pages(&info), 0);
}

static void test_command_line_without_an_end(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 0);
    memset(si.cmd_line, 'x', sizeof(si.cmd_line));
    start_info_read(&info, &si, &g.pt);
    check_equal("length", strlen(info.cmdline), MAX_GUEST_CMDLINE - 1);
}

#define AT(field) offsetof(struct start_info, field)

/* clang-format off */
static const struct row {
    size_t offset; /* where 8 bytes of start_info are overwritten, */
    uint64_t value;
    const char *says;
    bool by_pfn; /* the ramdisk is named by its PFN */
} rows[] = {
    {AT(magic), 0x2d302e332d6e6558, "magic is \"Xen-3.0-x86_64\", expected \"xen-", false},
    {AT(magic), 0, "magic is \"\", expected", false},
    {AT(nr_pages), 0, "nr_pages is 0x0, expected 1 to", false},
    {AT(nr_pages), 0x10000000001, "nr_pages is 0x10000000001, expected 1 to 0x10000000000", false},
    {AT(nr_pages), 512 * 512 + 1, "mfn_list reaches 0x220000200007, which is not", false},

    {AT(mfn_list), FAKE_LIST_BASE + 8, "mfn_list is 0x220000000008, expected a multiple", false},
    {AT(mfn_list), 0x800000000000, "mfn_list reaches 0x800000000000, expected a canonical", false},
    {AT(mfn_list), 0, "mfn_list reaches 0x0, which is not mapped", false},
    {AT(mfn_list), -(uint64_t)0x2000, "with 0x5dc0 bytes, which wrap", false},
    {AT(mfn_list), FAKE_LIST_BASE + 0x1000, "mfn_list reaches 0x220000006dbf, which is", false},

    {AT(nr_p2m_frames), 5, "nr_p2m_frames is 0x5, expected 0x6 or more for 0xbb8", false},
    {AT(nr_p2m_frames), NR_PAGES, "expected a sum of at most nr_pages, 0xbb8", false},
    {AT(first_p2m_pfn), NR_PAGES + 1, "first_p2m_pfn is 0xbb9", false},
    {AT(first_p2m_pfn), NR_PAGES - 8, "first_p2m_pfn is 0xbb0", false},
    {AT(first_p2m_pfn), UINT64_MAX, "first_p2m_pfn is 0xffffffffffffffff", false},

    {AT(mod_len), NR_PAGES * 4096 + 1, "mod_len is 0xbb8001 bytes, expected at most nr", false},
    {AT(mod_len), UINT64_MAX, "mod_len is 0xffffffffffffffff bytes", false},
    {AT(mod_start), FAKE_VIRT_BASE + 1, "mod_start is 0x207f80000001, expected a mult", false},
    {AT(mod_start), 0x1000, "mod_start reaches 0x1000, which is not mapped", false},
    {AT(mod_start), FAKE_VIRT_BASE + 0x3fc000, "mod_start reaches 0x207f80400fff", false},
    {AT(mod_start), NR_PAGES - 4, "mod_start is PFN 0xbb4 for 0x5 pages, expected", true},
    {AT(mod_start), UINT64_MAX, "mod_start is PFN 0xffffffffffffffff", true},

    {AT(shared_info), 0x123456, "shared_info is 0x123456, expected a machine address", false},
    {AT(shared_info), (uint64_t)1 << 52, "shared_info is 0x10000000000000, expected", false},
};
/* clang-format on */

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *panic;

        start(FAKE_LIST_4K, 5);
        if (rows[i].by_pfn)
            si.flags |= SIF_MOD_START_PFN;
        memcpy((uint8_t *)&si + rows[i].offset, &rows[i].value, sizeof(rows[i].value));
        panic = panic_of(read_info, &si);
        check_says("a bad field", panic, "Bail out! start_info.");
        check_says("a bad field", panic, rows[i].says);
    }
}

static void test_magic_without_an_end(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 0);
    memset(si.magic, 'x', sizeof(si.magic));
    check_says("no terminator", panic_of(read_info, &si),
               "magic is \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", expected");
}

/* At the address that our own INIT_P2M note asks for, the list must come with PFNs. */
static void test_list_at_our_slot_without_pfns(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 0);
    check_equal("the list's tables, at the real address too",
                pt_write(g.pt.root, pte_index(LIST_BASE, 4),
                         fake_ram(fake.root)[pte_index(FAKE_LIST_BASE, 4)]),
                0);
    si.mfn_list = LIST_BASE;
    start_info_read(&info, &si, &g.pt);
    check_equal("with PFNs", info.list_va, LIST_BASE);
    si.nr_p2m_frames = 0;
    check_says("without", panic_of(read_info, &si),
               "nr_p2m_frames is 0, expected another value for mfn_list 0xffffc90000000000");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_dom0, fake_machine_teardown),
        cmocka_unit_test_teardown(test_domu, fake_machine_teardown),
        cmocka_unit_test_teardown(test_no_ramdisk, fake_machine_teardown),
        cmocka_unit_test_teardown(test_command_line_without_an_end, fake_machine_teardown),
        cmocka_unit_test_teardown(test_refusals, fake_machine_teardown),
        cmocka_unit_test_teardown(test_magic_without_an_end, fake_machine_teardown),
        cmocka_unit_test_teardown(test_list_at_our_slot_without_pfns, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("start_info", tests, NULL, NULL);
}

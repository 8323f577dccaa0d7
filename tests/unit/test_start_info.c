/* SPDX-License-Identifier: MIT */
/*
 * Validation of start_info. Without this test a wrong field would be found later, as a page fault
 * in some page-table walk. Each field that the kernel uses is corrupted in turn; the panic must
 * name the field, the value found and the value expected.
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
    si.mod_len -= 4095; /* the last page of the ramdisk holds one byte */
    start_info_read(&info, &si, &g.pt);
    memset(&si, 0x5a, sizeof(si)); /* start_info_read must have copied all it needs */

    check_true("SIF_INITDOMAIN says dom0", boot_info_is_initdomain(&info));
    check_equal("nr_pages of a dom0", info.nr_pages, NR_PAGES);
    check_equal("address of the P2M list of a dom0", info.list_va, FAKE_LIST_BASE);
    check_equal("first PFN of the P2M list", info.list_pfn, g.domain.list_pfn);
    check_equal("number of PFNs of the P2M list", info.nr_list_pfns,
                DIV_ROUND_UP(NR_PAGES, 512) + 3);
    check_equal("address of shared_info", info.shared_info, g.domain.shared_info);
    check_equal("address of the ramdisk", info.ramdisk_va, g.domain.ramdisk_va);
    check_equal("PFN of the ramdisk", info.ramdisk_pfn, boot_pfn(g.domain.ramdisk_va));
    check_equal("bytes of the ramdisk", info.ramdisk_bytes, 4 * PAGE_SIZE + 1);
    check_equal("pages of the ramdisk", boot_info_ramdisk_pages(&info), 5);
    check_equal("console ring of a dom0", info.console.v, INVALID_ENTRY);
    check_equal("xenstore ring of a dom0", info.store.v, INVALID_ENTRY);
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

    check_true("without SIF_INITDOMAIN it is a domU", !boot_info_is_initdomain(&info));
    check_equal("flags of a domU", info.flags, SIF_VIRT_P2M_4TOOLS | SIF_MOD_START_PFN);
    check_equal("address of the P2M list of a domU", info.list_va, (uintptr_t)g.domain.list);
    check_equal("PFNs of a P2M list in the kernel's mapping", info.nr_list_pfns, 0);
    check_equal("address of a ramdisk that is not mapped", info.ramdisk_va, 0);
    check_equal("PFN of a ramdisk that is not mapped", info.ramdisk_pfn, NR_PAGES - 7);
    check_equal("MFN of the console ring", info.console.v, 0x1234);
    check_equal("MFN of the xenstore ring", info.store.v, ((uint64_t)1 << 40) - 1);
}

static void test_no_ramdisk(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 0);
    si.mod_start = 0xdeadbeef; /* without mod_len, mod_start is ignored */
    start_info_read(&info, &si, &g.pt);
    check_equal("bytes of a missing ramdisk", info.ramdisk_bytes, 0);
    check_equal("address of a missing ramdisk", info.ramdisk_va, 0);
    check_equal("pages of a missing ramdisk", boot_info_ramdisk_pages(&info), 0);
}

static void test_command_line_without_an_end(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 0);
    memset(si.cmd_line, 'x', sizeof(si.cmd_line));
    start_info_read(&info, &si, &g.pt);
    check_equal("length of a command line without a terminator", strlen(info.cmdline),
                MAX_GUEST_CMDLINE - 1);
}

#define AT(field) offsetof(struct start_info, field)

/* clang-format off */
static const struct row {
    size_t offset; /* offset of the 8 bytes of start_info to overwrite */
    uint64_t value;
    const char *says;
    bool by_pfn; /* SIF_MOD_START_PFN: mod_start is a PFN */
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
        check_says("panic on a bad field", panic, "Bail out! start_info.");
        check_says("panic on a bad field, details", panic, rows[i].says);
    }
}

static void test_magic_without_an_end(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 0);
    memset(si.magic, 'x', sizeof(si.magic));
    check_says("panic on a magic without a terminator", panic_of(read_info, &si),
               "magic is \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", expected");
}

/* At the address of this kernel's INIT_P2M note, the builder must give the list PFNs. */
static void test_list_at_our_slot_without_pfns(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 0);
    check_equal("pt_write of the list's level 3 table at LIST_BASE",
                pt_write(g.pt.root, pte_index(LIST_BASE, 4),
                         fake_ram(fake.root)[pte_index(FAKE_LIST_BASE, 4)]),
                0);
    si.mfn_list = LIST_BASE;
    start_info_read(&info, &si, &g.pt);
    check_equal("address of a list at LIST_BASE", info.list_va, LIST_BASE);
    si.nr_p2m_frames = 0;
    check_says("panic on a list at LIST_BASE without PFNs", panic_of(read_info, &si),
               "nr_p2m_frames is 0, expected more than 0 for mfn_list 0xffffc90000000000");
}

/*
 * 0 is no address of the kernel mapping, even if page 0 is mapped, as after GRUB. As an address it
 * would be PFN 0x80000, and in struct boot_info it would mean that the ramdisk is not mapped.
 */
static void test_ramdisk_at_address_0(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 5);
    check_equal("pt_write of the list's level 3 table at address 0",
                pt_write(g.pt.root, 0, fake_ram(fake.root)[pte_index(FAKE_LIST_BASE, 4)]), 0);
    si.mod_start = 0;
    check_says("panic on a ramdisk at address 0", panic_of(read_info, &si),
               "start_info.mod_start is 0x0 and mod_len is 0x5000 bytes, expected an address in "
               "the kernel "
               "mapping");
    si.flags |= SIF_MOD_START_PFN;
    start_info_read(&info, &si, &g.pt);
    check_equal("PFN of a ramdisk at PFN 0", info.ramdisk_pfn, 0);
}

/* An area whose last page ends at 2^64 has no end in 64 bits: start + bytes of its pages is 0. */
static void test_areas_up_to_the_end(void **state)
{
    (void)state;
    start(FAKE_LIST_4K, 5);
    si.mod_start = -(uint64_t)0x5000;
    check_says("panic on a ramdisk that ends at 2^64", panic_of(read_info, &si),
               "mod_start is 0xffffffffffffb000 with 0x5000 bytes, which wrap");
    start(FAKE_LIST_4K, 0);
    si.nr_pages = 3072;
    si.mfn_list = -(uint64_t)0x6000;
    check_says("panic on a list that ends at 2^64", panic_of(read_info, &si),
               "mfn_list is 0xffffffffffffa000 with 0x6000 bytes, which wrap");
    si.nr_pages = 3000; /* the list ends inside the last page */
    check_says("panic on a list in the last pages", panic_of(read_info, &si),
               "mfn_list is 0xffffffffffffa000 with 0x5dc0 bytes, which wrap");
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
        cmocka_unit_test_teardown(test_ramdisk_at_address_0, fake_machine_teardown),
        cmocka_unit_test_teardown(test_areas_up_to_the_end, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("start_info", tests, NULL, NULL);
}

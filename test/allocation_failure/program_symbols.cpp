#include "program_symbols.hpp"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstddef>
#include <fstream>

namespace {

/** `count` values at an offset of a file. */
template <class T>
std::vector<T> values_at(std::ifstream& file, std::size_t offset, std::size_t count)
{
    std::vector<T> values(count);
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
    return values;
}

/** Where the program was loaded, relative to the addresses in its file. */
std::uintptr_t load_address()
{
    std::uintptr_t address = 0;
    ::dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void* into) {
            *static_cast<std::uintptr_t*>(into) = object->dlpi_addr; // the first object is the program
            return 1;
        },
        &address
    );
    return address;
}

} // namespace

program_symbols::program_symbols()
{
    auto const base = load_address();
    std::ifstream file("/proc/self/exe", std::ios::binary);
    auto const header = values_at<ElfW(Ehdr)>(file, 0, 1).front();
    auto const sections = values_at<ElfW(Shdr)>(file, header.e_shoff, header.e_shnum);
    for (auto const& section : sections)
    {
        if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size())
            continue;
        auto const& strings = sections[section.sh_link];
        auto const names = values_at<char>(file, strings.sh_offset, strings.sh_size);
        for (auto const& symbol : values_at<ElfW(Sym)>(file, section.sh_offset, section.sh_size / sizeof(ElfW(Sym))))
            if ((symbol.st_info & 0xf) == STT_FUNC && symbol.st_size > 0 && symbol.st_name < names.size())
                functions_.push_back(
                    {base + symbol.st_value, base + symbol.st_value + symbol.st_size, &names[symbol.st_name]}
                );
    }
    std::sort(functions_.begin(), functions_.end(), [](function const& a, function const& b) {
        return a.begin < b.begin;
    });
}

std::string_view program_symbols::name_of(void const* address) const noexcept
{
    auto const at = reinterpret_cast<std::uintptr_t>(address);
    auto const after =
        std::upper_bound(functions_.begin(), functions_.end(), at, [](std::uintptr_t value, function const& of) {
            return value < of.begin;
        });
    if (after == functions_.begin() || at >= std::prev(after)->end)
        return {};
    return std::prev(after)->name;
}

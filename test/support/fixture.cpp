#include "fixture.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

namespace support {

std::string fixture_path(std::string_view relative)
{
    return std::string(CCLOUD_TEST_DATA "/").append(relative);
}

std::string fixture(std::string_view relative)
{
    auto const path = fixture_path(relative);
    std::ifstream file(path, std::ios::binary);
    if (!file)
        FAIL("there is no fixture " << path);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

} // namespace support

#ifndef CCLOUD_TEST_SUPPORT_FIXTURE_HPP
#define CCLOUD_TEST_SUPPORT_FIXTURE_HPP

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace support {

/** The bytes of a file below test/data. Ends the test where there is no such file. */
inline std::string fixture(std::string_view relative)
{
    std::string path = CCLOUD_TEST_DATA;
    path += '/';
    path += relative;
    std::ifstream file(path, std::ios::binary);
    if (!file)
        FAIL("there is no fixture " << path);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

} // namespace support

#endif

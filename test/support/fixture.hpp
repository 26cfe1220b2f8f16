#ifndef CCLOUD_TEST_SUPPORT_FIXTURE_HPP
#define CCLOUD_TEST_SUPPORT_FIXTURE_HPP

#include <string>
#include <string_view>

namespace support {

/** The path of a file below test/data. */
std::string fixture_path(std::string_view relative);

/** The bytes of such a file. Fails the test if the file does not exist. */
std::string fixture(std::string_view relative);

} // namespace support

#endif

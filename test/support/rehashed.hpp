#ifndef CCLOUD_TEST_SUPPORT_REHASHED_HPP
#define CCLOUD_TEST_SUPPORT_REHASHED_HPP

#include "certificates.hpp"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace support {

/** A folder with one trusted certificate, as `openssl rehash` makes it. */
class rehashed
{
public:
    explicit rehashed(authority const& ca) : rehashed(ca.certificate()) {}
    explicit rehashed(std::string const& trusted)
    {
        auto name = (std::filesystem::temp_directory_path() / "ccloud-test-XXXXXX").string();
        if (!::mkdtemp(name.data()))
            throw std::runtime_error("rehashed: no folder");
        folder_ = name;
        ccloud::testing::simulated::temporary_file const pem(trusted);
        auto* const file = std::fopen(pem.path().c_str(), "r");
        ccloud::testing::simulated::certificate_pointer const own(::PEM_read_X509(file, nullptr, nullptr, nullptr));
        std::fclose(file);
        char hash[16];
        std::snprintf(
            hash, sizeof hash, "%08lx.0",
            ::X509_NAME_hash_ex(X509_get_subject_name(own.get()), nullptr, nullptr, nullptr)
        );
        std::filesystem::copy_file(pem.path(), folder_ / hash);
    }
    ~rehashed() { std::filesystem::remove_all(folder_); }
    rehashed(rehashed const&) = delete;
    rehashed& operator=(rehashed const&) = delete;

    std::string path() const { return folder_.string(); }

private:
    std::filesystem::path folder_;
};

} // namespace support

#endif

#ifndef CCLOUD_BENCH_DOCUMENTS_HPP
#define CCLOUD_BENCH_DOCUMENTS_HPP

#include <string>

namespace bench {

/** An IP group as the service writes it, 420 bytes. */
std::string group_document();

/** A page of 100 such groups with more to come, about 42 KB. */
std::string page_document();

} // namespace bench

#endif

#ifndef CCLOUD_BENCH_QUESTIONS_HPP
#define CCLOUD_BENCH_QUESTIONS_HPP

#include "report.hpp"

#include <string>

namespace bench {

/** What does a request cost, ours and our peers'? Each is a program of its own that talks to one nginx over TLS; they lie
    in the folder `programs`. */
void contest(std::string const& programs, bool quick, int rounds, report& notes);

/** What does it cost to read a page of 100 IP groups? */
void decode(int rounds, report& notes);

/** What does a call cost above its transport, in time and allocations? What an item of a listing? */
void call_cost(int rounds, report& notes);

/** What does a call cost that ends in an error, as a result and as an exception? */
void error_cost(int rounds, report& notes);

/** What do the parts of a call cost: gate, retry budget, pool, cursor, encoding? */
void parts(int rounds, report& notes);

/** What memory does a call take that waits? */
void memory(int rounds, report& notes);

/** What does a new connection cost, with a full handshake and with a resumed one? */
void handshake(int rounds, report& notes);

/** What does a user's build pay: to parse the headers, and to link the library? */
void build_cost(bool quick, int rounds, report& notes);

} // namespace bench

#endif

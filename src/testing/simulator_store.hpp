#ifndef CCLOUD_TESTING_SIMULATOR_STORE_HPP
#define CCLOUD_TESTING_SIMULATOR_STORE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ccloud::testing::simulated {

/** A stretch of a collection. */
template <class Record>
struct page
{
    std::vector<Record const*> items;
    std::optional<std::uint64_t> next; ///< number of the first record after it; nothing at the end
};

/** Records in the order of their making. A record has a `number`, rising, and an `id`; both never change, so a page
    may begin at a number whose record is gone by now. */
template <class Record>
class collection
{
public:
    Record& add(Record made)
    {
        records_.push_back(std::make_unique<Record>(std::move(made)));
        Record& record = *records_.back();
        by_id_.emplace(record.id, &record);
        return record;
    }

    Record* find(std::string const& id) const
    {
        auto const found = by_id_.find(id);
        return found == by_id_.end() ? nullptr : found->second;
    }

    void erase(Record const& record)
    {
        by_id_.erase(record.id);
        records_.erase(records_.begin() + static_cast<std::ptrdiff_t>(index_of(record.number)));
    }

    std::size_t size() const noexcept { return records_.size(); }
    Record const& at(std::size_t index) const { return *records_[index]; }

    /** How many records come before the one with this number. */
    std::size_t index_of(std::uint64_t number) const
    {
        auto const found = std::ranges::lower_bound(records_, number, {}, [](auto const& r) { return r->number; });
        return static_cast<std::size_t>(found - records_.begin());
    }

    /** Up to `count` records that pass the filter, from this number on. */
    template <class Filter>
    page<Record> read(std::uint64_t from, std::size_t count, Filter const& passes) const
    {
        page<Record> result;
        for (std::size_t i = index_of(from); i < records_.size(); ++i)
        {
            if (!passes(*records_[i]))
                continue;
            if (result.items.size() == count)
            {
                result.next = records_[i]->number;
                break;
            }
            result.items.push_back(records_[i].get());
        }
        return result;
    }

private:
    std::vector<std::unique_ptr<Record>> records_;
    std::unordered_map<std::string, Record*> by_id_;
};

} // namespace ccloud::testing::simulated

#endif

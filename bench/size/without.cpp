// A program that does nothing, with the same libraries at hand: what bench/size/with.cpp is compared with.

int main()
{
}

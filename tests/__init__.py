"""The tests, and the tools that ask the program as they do: an entry point like any other."""

from moctracker.environment import begin

begin()

module ieum.test/echo

go 1.19

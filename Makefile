# SPDX-License-Identifier: Apache-2.0
# A thin front to CMake; every target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := build
.PHONY: build demo test sanitize bench lint fuzz soak suites coverage valgrind clean help setup-apt setup-venv setup-photonics setup-lint

# The settings of the caller's own jobs are neither the tests' nor the demo's.
unexport $(filter-out OPTINC_PYTHON,$(filter OPTINC_%,$(.VARIABLES)))

build: setup-apt ## the libraries and build/release/bin/optinc
	@cmake --preset release >build/configure.log || { cat build/configure.log; exit 1; }
	cmake --build --preset release

demo: build setup-venv ## a LLaMA-based model, trained through a ring and through OptINC
	scripts/demo

test: build setup-venv setup-photonics ## all tests
	ctest --preset release

sanitize: setup-apt setup-lint setup-venv ## the tests under ASan + UBSan, and the threaded ones under TSan
	cmake --preset asan >/dev/null
	cmake --build --preset asan
	ctest --preset asan -LE no-sanitizer
	cmake --preset tsan >/dev/null
	cmake --build --preset tsan
	ctest --preset tsan -R '^(codec|switch|collective|onn)_' -LE no-sanitizer

lint: setup-apt setup-lint ## format, include direction, clang-tidy, cppcheck, a clang build without warnings
	cmake --preset clang >/dev/null
	cmake --build --preset clang
	scripts/lint

fuzz: setup-apt setup-lint ## every parser for FUZZ_SECONDS (60)
	cmake --preset fuzz >/dev/null
	cmake --build --preset fuzz
	scripts/fuzz $${FUZZ_SECONDS:-60}

bench: build setup-venv setup-photonics ## speeds as ratios, appended to bench/results.csv
	scripts/bench

soak: build setup-venv ## MPI and PyTorch jobs whose ranks are killed at random, for SOAK_SECONDS (1800)
	build/venv/bin/python tests/soak/soak.py $${SOAK_SECONDS:-1800} build/release $${SOAK_SEED:-1}

suites: build ## MPICH's own MPI tests and Intel's MPI Benchmarks, fetched and run through the switch
	tests/suites/run_suites build/release build/suites

coverage: setup-apt setup-lint ## line coverage of the C code by the C tests, by room
	cmake --preset coverage >/dev/null
	cmake --build --preset coverage
	ctest --preset coverage -LE no-sanitizer
	scripts/coverage build/coverage

valgrind: setup-apt setup-lint ## the C tests of the libraries under valgrind
	cmake --preset valgrind >/dev/null
	cmake --build --preset valgrind
	scripts/valgrind build/valgrind

clean: ## removes what was built, the virtual environment excepted
	rm -rf build/release build/debug build/clang build/asan build/tsan build/fuzz build/coverage build/valgrind build/demo

setup-apt:
	@scripts/setup apt
	@mkdir -p build

setup-lint:
	@scripts/setup apt scripts/packages-lint.txt

setup-venv: setup-apt
	@scripts/setup venv

setup-photonics: setup-apt
	@scripts/setup photonics

help:
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

# SPDX-License-Identifier: Apache-2.0
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(optinc REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE optinc::optinc_design m)

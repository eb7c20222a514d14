# SPDX-License-Identifier: Apache-2.0
# Headers, libraries, optinc.pc and the CMake package config.
include(CMakePackageConfigHelpers)
install(DIRECTORY include/optinc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS optinc optinc_design EXPORT optinc-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT optinc-targets NAMESPACE optinc:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/optinc)
configure_package_config_file(cmake/optinc-config.cmake.in optinc-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/optinc)
write_basic_package_version_file(optinc-config-version.cmake COMPATIBILITY SameMajorVersion)
configure_file(cmake/optinc.pc.in optinc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/optinc-config.cmake ${PROJECT_BINARY_DIR}/optinc-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/optinc)
install(FILES ${PROJECT_BINARY_DIR}/optinc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set_target_properties(optinc_design PROPERTIES INSTALL_RPATH "$ORIGIN")

# SPDX-License-Identifier: Apache-2.0
# Headers, libraries, program, device files, manual, optinc.pc and the CMake package config; and the Debian
# packages: optinc, and one an MPI (`cpack --config build/release/CPackConfig.cmake`).
include(CMakePackageConfigHelpers)
install(DIRECTORY include/optinc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS optinc optinc_design EXPORT optinc-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT optinc-targets NAMESPACE optinc:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/optinc)
configure_package_config_file(cmake/optinc-config.cmake.in optinc-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/optinc)
write_basic_package_version_file(optinc-config-version.cmake COMPATIBILITY SameMajorVersion)
# relative, so that the files hold wherever `cmake --install --prefix` or a package puts them
file(RELATIVE_PATH OPTINC_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" OPTINC_PC_PREFIX "${OPTINC_PC_PREFIX}")
configure_file(cmake/optinc.pc.in optinc.pc @ONLY)
configure_file(cmake/optinc-design.pc.in optinc-design.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/optinc-config.cmake ${PROJECT_BINARY_DIR}/optinc-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/optinc)
install(FILES ${PROJECT_BINARY_DIR}/optinc.pc ${PROJECT_BINARY_DIR}/optinc-design.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set_target_properties(optinc_design PROPERTIES INSTALL_RPATH "$ORIGIN")
install(DIRECTORY devices DESTINATION ${CMAKE_INSTALL_DATADIR}/optinc)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md CHANGELOG.md NOTICE LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES cmake/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME optinc)

# A manual page a subcommand, made from its --help.
find_program(HELP2MAN help2man)
if(HELP2MAN AND TARGET optinc_cli)
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/man/optinc.1
    COMMAND ${PROJECT_SOURCE_DIR}/scripts/manual $<TARGET_FILE:optinc_cli> ${PROJECT_BINARY_DIR}/man
    DEPENDS optinc_cli ${PROJECT_SOURCE_DIR}/scripts/manual VERBATIM)
  add_custom_target(manual ALL DEPENDS ${PROJECT_BINARY_DIR}/man/optinc.1)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME optinc)
set(CPACK_PACKAGE_CONTACT "the OptINC developers <optinc@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENT_UNSPECIFIED_DESCRIPTION
  "Optical in-network computing\n Designs, proves and emulates an optical switch that averages the gradients\n of distributed training.")
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_NAME optinc)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/src)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
foreach(flavour openmpi mpich)
  string(TOUPPER ${flavour} component)
  set(CPACK_DEBIAN_${component}_PACKAGE_NAME optinc-${flavour})
  set(CPACK_DEBIAN_${component}_PACKAGE_DEPENDS "optinc (= ${PROJECT_VERSION})")
  set(CPACK_COMPONENT_${component}_DESCRIPTION
    "OptINC's all-reduce for ${flavour}\n The MPI adapter and the interposition library for unmodified programs.")
endforeach()
include(CPack)

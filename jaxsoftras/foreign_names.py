"""Names that users of PyTorch3D, nvdiffrast, Kaolin, Soft Rasterizer and trimesh know.

`jaxsoftras.guesses` answers them with ours.
"""

from __future__ import annotations

_LOSSES = {
    "losses.laplacian(vertices, faces)": "mesh_laplacian_smoothing LaplacianLoss "
    "laplacian laplacian_loss laplacian_smoothing uniform_laplacian_smoothing",
    "losses.flatten(vertices, faces)": "FlattenLoss flatten_loss",
    "losses.normal_consistency(vertices, faces)": "mesh_normal_consistency "
    "normal_consistency",
    "losses.edge_length(vertices, faces)": "mesh_edge_loss average_edge_length "
    "edge_length",
    "losses.chamfer_distance(first, second)": "chamfer_distance chamfer chamfer_loss",
    "losses.nearest_points(points, targets)": "nearest_points knn_points "
    "sided_distance nearest_neighbors",
    "losses.point_mesh_distance(points, vertices, faces)": "point_mesh_distance "
    "point_mesh_face_distance point_to_mesh_distance",
    "losses.silhouette_iou(predicted, target)": "silhouette_iou iou",
    "1 - losses.silhouette_iou(predicted, target)": "iou_loss neg_iou_loss mask_iou",
    "losses.f_score(predicted, target, threshold)": "f_score fscore",
    "losses.psnr(predicted, target)": "psnr PSNR peak_signal_noise_ratio",
    "losses.ssim(predicted, target)": "ssim SSIM structural_similarity",
    "1 - losses.ssim(predicted, target)": "ssim_loss",
    "jnp.mean((image - target) ** 2)": "mse mse_loss MSELoss l2_loss",
    "jnp.mean(jnp.abs(image - target))": "mae l1_loss L1Loss",
    "voxels.iou(predicted, target)": "voxel_iou",
}
"""Losses and metrics, of which the package and `jaxsoftras.losses` are asked."""

TABLE: dict[str, dict[str, str]] = {
    # modules
    "jaxsoftras.losses": _LOSSES,
    "jaxsoftras": {
        **_LOSSES,
        "icosphere(level)": "ico_sphere icosahedron sphere ico_sphere_mesh uv_sphere",
        "load_mesh(path)": "load_obj load_objs_as_meshes load_ply load_off load_stl "
        "load_glb load_gltf load import_mesh read_mesh IO",
        "save_mesh(path, mesh)": "save_obj save_ply save_glb export_mesh write_mesh",
        "save_image(path, image)": "imsave imwrite write_image",
        "show(mesh)": "plot_scene view imshow display",
        "Mesh(vertices, faces, texture)": "Meshes Trimesh TriangleMesh SurfaceMesh",
        "stack_meshes(meshes)": "join_meshes_as_batch batch_meshes pad_meshes",
        "unstack_meshes(mesh)": "split_meshes unbatch_meshes",
        "join_meshes(meshes)": "join_meshes_as_scene concatenate merge_meshes",
        "perspective_camera(eye, target, fov=...)": "PerspectiveCamera "
        "FoVPerspectiveCameras OpenGLPerspectiveCameras "
        "generate_perspective_projection PinholeCamera",
        "perspective_camera(eye_from_angles(dist, elev, 180 - azim), fov=...), as "
        "azimuth 0 is at -z here": "look_at_view_transform",
        "from_pytorch3d(R, T, focal_length, principal_point, image_size)": ""
        "PerspectiveCameras OrthographicCameras",
        "orthographic_camera(eye, target, scale=...)": "FoVOrthographicCameras "
        "OpenGLOrthographicCameras OrthographicCamera OrthographicIntrinsics",
        "from_opencv(K, R, t, image_size, distortion)": "PinholeCameraIntrinsic "
        "PinholeCameraParameters PinholeIntrinsics CameraExtrinsics from_intrinsics "
        "cameras_from_opencv_projection camera_from_intrinsics FishEyeCameras "
        "from_colmap",
        "to_opencv(camera, image_size)": "opencv_from_cameras_projection",
        "from_mujoco(position, rotation, image_size, fovy=...)": "from_mjcf from_mjx "
        "from_brax",
        "from_opengl(view, projection)": "from_matrices from_view_matrix",
        "look_at(eye, target)": "look_at_rotation look look_at_matrix lookAt lookat "
        "generate_rotate_translate_matrices",
        "world_to_camera(points, eye, target)": "rotate_translate_points",
        "eye_from_angles(distance, elevation, azimuth)": "get_points_from_angles "
        "spherical_to_cartesian",
        "eye_from_angles(distance, elevation, 180 - azimuth), as azimuth 0 is at -z "
        "here": "camera_position_from_spherical_angles",
        "rotation_from_axis_angle(axis_angle)": "axis_angle_to_matrix so3_exp_map "
        "so3_exponential_map rodrigues",
        "project(camera, points)": "transform_points project_points",
        "find_fragments(face_vertices, image_size)": "rasterize_meshes "
        "MeshRasterizer RasterizeCudaContext RasterizeGLContext",
        "interpolate(fragments, face_attributes)": "interpolate_face_attributes",
        "rasterize(face_vertices, face_attributes, image_size)": "soft_rasterize "
        "dibr_rasterization SoftRasterizeFunction",
        "silhouette(face_vertices, image_size)": "SoftSilhouetteShader antialias "
        "render_silhouette rasterize_silhouettes",
        "render(mesh, camera, lights, settings)": "MeshRenderer Renderer SoftRenderer "
        "SoftRasterizer MeshRendererWithFragments SoftPhongShader HardPhongShader "
        "SoftGouraudShader HardGouraudShader HardFlatShader render_mesh",
        "Settings(...)": "RasterizationSettings BlendParams RenderSettings",
        "face_vertices(vertices, faces)": "vertices_to_faces index_vertices_by_faces",
        "UVTexture(coordinates, image)": "TexturesUV",
        "VertexColors(values)": "TexturesVertex",
        "SurfaceTexture(texels)": "TexturesAtlas",
        "PointLight(position, color)": "PointLights",
        "DirectionalLight(direction, color)": "DirectionalLights DirectionalLighting",
        "AmbientLight(color)": "AmbientLights AmbientLighting",
        "Material(shininess, specular)": "Materials",
        "subdivide(mesh)": "SubdivideMeshes subdivide_trianglemesh",
        "sample_points(key, mesh, count)": "sample_points_from_meshes sample_surface",
        "texture.sample(image, uv)": "texture_mapping grid_sample",
        "voxels.voxelize(vertices, faces)": "voxelize trianglemeshes_to_voxelgrids "
        "voxelization",
    },
    # attributes and keywords
    "Mesh": {
        "texture": "textures tex visual colors vertex_colors face_colors uv uvs",
        "vertices": "verts_packed verts_padded verts_list get_mesh_verts_faces",
        "faces": "faces_packed faces_padded faces_list",
        "face_vertices(mesh.vertices, mesh.faces)": "triangles face_vertices",
        "face_normals(face_vertices(mesh.vertices, mesh.faces))": "face_normals "
        "faces_normals_packed faces_normals_padded",
        "vertex_normals(mesh.vertices, mesh.faces)": "vertex_normals normals "
        "verts_normals_packed verts_normals_padded",
        "topology.edges(mesh.faces)": "edges edges_packed edges_unique",
        "topology.is_watertight(mesh.faces)": "is_watertight",
        "len(mesh.vertices)": "num_vertices n_vertices num_verts_per_mesh",
        "len(mesh.faces)": "num_faces n_faces num_faces_per_mesh",
        "mesh._replace(vertices=...)": "offset_verts update_padded clone copy detach "
        "scale_verts apply_transform apply_translation apply_scale replace",
        "jax.device_put(mesh)": "to cuda cpu device",
        "save_mesh(path, mesh)": "export save write to_obj to_ply to_off to_file",
        "load_mesh(path)": "load from_file from_obj from_objs from_ply from_off "
        "from_stl from_gltf from_glb load_obj load_ply load_objs read",
        "from_trimesh(solid)": "from_trimesh",
        "icosphere(level)": "icosphere sphere",
        "join_meshes(meshes)": "join merge concatenate",
        "Mesh(vertices, faces, texture)": "from_arrays from_vertices_and_faces",
        "show(mesh)": "show plot view",
        "to_trimesh(mesh)": "to_trimesh as_trimesh",
        "stack_meshes(meshes)": "extend",
        "sample_points(key, mesh, count)": "sample",
        "subdivide(mesh)": "subdivide",
        "frame(mesh)": "bounds extents get_bounding_boxes",
    },
    "Camera": {
        "perspective_camera(eye, ...) to make one, position to read it": "eye location "
        "origin camera_center get_camera_center",
        "perspective_camera(eye, target, fov=...) to make one": "target at look_at "
        "up fov half_fov aspect",
        "perspective_camera(eye_from_angles(dist, elev, 180 - azim), fov=...) to make "
        "one with PyTorch3D's angles": "dist elev azim",
        "axes": "R rotation",
        "focal_length": "focal f focal_lengths fx fy",
        "principal_point": "cx cy x0 y0 p0",
        "distortion": "dist_coeffs distCoeffs D",
        "from_pytorch3d(R, T, ...) or position": "T translation",
        "to_opencv(camera, image_size)": "K intrinsics extrinsics",
        "to_opengl(camera)": "view_matrix projection_matrix view_transform "
        "get_world_to_view_transform",
        "project(camera, points)": "transform_points project_points project transform",
        "Settings(near=..., far=..., image_size=...)": "near far znear zfar image_size",
    },
    "Settings": {
        "lights=... of render()": "lights light",
        "material=... of render()": "material materials",
        "Mesh(vertices, faces, texture), by its kind": "texture_type texture",
        "perspective_camera(eye, fov=..., aspect=...)": "fov eye aspect camera cameras",
    },
    "save_mesh": {
        "mesh=Mesh(vertices, faces, texture)": "vertices faces verts texture textures "
        "vertex_colors verts_uvs faces_uvs texture_map",
        "a path that ends in the format, such as .glb": "file_type format extension",
    },
    "render": {
        "mesh=Mesh(vertices, faces, texture)": "vertices faces verts textures texture",
        "camera=perspective_camera(eye, target, fov=...)": "eye fov location R T K "
        "position target viewing_angle intrinsics extrinsics",
    },
    "perspective_camera": {
        "eye_from_angles(distance, elevation, azimuth) for eye": "distance elevation "
        "azimuth",
        "eye_from_angles(dist, elev, 180 - azim) for eye, if they are PyTorch3D's": ""
        "dist elev azim",
        "from_pytorch3d(R, T, ...) or camera_from_axes(axes, position, ...)": "R T",
        "from_opencv(K, ...) or camera_from_axes(..., focal_length)": "K intrinsics "
        "focal_length principal_point fx fy cx cy skew distortion dist_coeffs lens",
        "fov in degrees, np.rad2deg(angle)": "degrees",
        "aspect=width / height": "image_size height width size resolution",
        "Settings(near=..., far=...)": "near far znear zfar",
    },
    "orthographic_camera": {
        "scale, 2 / height of the image in world units": "fov half_fov height "
        "scale_xyz width",
        "Settings(near=..., far=...)": "near far znear zfar",
    },
    "look_at": {
        "eye_from_angles(distance, elevation, azimuth) for eye": "distance elevation "
        "azimuth",
        "eye_from_angles(dist, elev, 180 - azim) for eye, if they are PyTorch3D's": ""
        "dist elev azim",
    },
    "eye_from_angles": {
        "distance": "dist radius r",
        "azimuth, which is 180 - azim of PyTorch3D": "azim",
        "angles in degrees, np.rad2deg(angle)": "degrees",
        "look_at(eye, target, up)": "at target up eye",
    },
    "camera_from_axes": {
        "from_opencv(K, R, t, ...) or from_pytorch3d(R, T, ...)": "R T t K rotation "
        "translation intrinsics extrinsics",
        "perspective_camera(eye, target, fov=...)": "eye target up fov at",
    },
    "from_opencv": {
        "intrinsics": "K camera_matrix cameraMatrix mtx intrinsic k",
        "intrinsics=np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]])": "fx fy cx cy "
        "skew focal_length principal_point",
        "rotation": "R rmat rotation_matrix",
        "rotation=rotation_from_axis_angle(rvec)": "rvec rvecs axis_angle",
        "rotation=M[:3, :3], translation=M[:3, 3]": "extrinsics extrinsic",
        "translation": "t T tvec tvecs",
        "distortion": "dist dist_coeffs distCoeffs D d coefficients",
        'lens="fisheye"': "fisheye is_fisheye model camera_model",
    },
    "from_opengl": {
        "view": "view_matrix modelview world_to_camera extrinsics w2c mv",
        "projection": "projection_matrix proj proj_matrix P intrinsics",
        'kind="orthographic"': "orthographic perspective",
        "perspective_camera(eye, fov=..., aspect=...)": "fov fovy aspect eye",
    },
    "from_pytorch3d": {
        "rotation": "R",
        "translation": "T t",
        "fov in degrees, np.rad2deg(angle)": "degrees",
        "from_opencv(K, R, t, image_size)": "K",
        "focal_length and principal_point in NDC": "in_ndc",
        'kind="orthographic"': "orthographic",
        "Settings(near=..., far=...)": "near far znear zfar",
    },
    "from_blender": {
        "matrix_world": "matrix transform_matrix camera_to_world c2w pose",
        "lens": "focal_length focal f",
        "lens=sensor_width / (2 * np.tan(angle / 2))": "angle camera_angle_x fov",
        "shift": "shift_x shift_y",
    },
    "from_mujoco": {
        "position": "pos xpos cam_xpos cam_pos",
        "rotation": "xmat mat quat cam_xmat cam_quat orientation",
        "fovy": "fov cam_fovy field_of_view",
        "intrinsic": "cam_intrinsic intrinsics",
        "sensor_size": "sensorsize cam_sensorsize",
        "image_size=(height, width)": "resolution height width",
        'kind="orthographic"': "orthographic projection",
    },
    "UVTexture": {
        "coordinates=verts_uvs[faces_uvs]": "faces_uvs verts_uvs uv_idx",
        "wrap": "padding_mode boundary_mode wrap_mode sampling_mode",
        "image_index": "maps_ids texture_index material_index face_materials",
    },
    # wherever the left one is a name
    "": {
        "vertices": "verts v vtx points pos positions coords",
        "faces": "tri tris triangles f face pos_idx indices",
        "mesh": "meshes",
        "meshes": "mesh batch mesh_list",
        "source": "trimesh scene mesh solid",
        "camera": "cameras cam",
        "lights": "light",
        "settings": "raster_settings render_settings blend_params options",
        "image_size": "size img_size imsize resolution res image_shape height width",
        "sigma": "sigma_val blur_radius",
        "gamma": "gamma_val",
        "distance": "dist_func dist radius r",
        "aggregation": "aggr_func_rgb aggr_func aggr_rgb",
        "conorm": "aggr_func_alpha aggr_alpha t_conorm tconorm",
        "background": "background_color bg_color bg background_image",
        "background_epsilon": "eps epsilon",
        "supersampling": "anti_aliasing antialiasing aa ssaa samples",
        "near": "znear near_plane z_near",
        "far": "zfar far_plane z_far",
        "double_sided": "fill_back cull_backfaces two_sided doublesided",
        "shading": "shader shade_mode",
        "interpolation": "perspective_correct",
        "implementation": "backend impl",
        "half_fov": "viewing_angle",
        "fov": "field_of_view fovy yfov vfov fov_y",
        "eye": "location position camera_position cam_pos origin",
        "position": "location pos",
        "target": "at center look_at lookat",
        "up": "up_vector world_up camera_up camera_up_direction",
        "aspect": "aspect_ratio",
        "elevation": "elev el",
        "azimuth": "azim az",
        "level": "subdivisions subdivs subdiv order depth n",
        "count": "num_samples n_samples num_points n",
        "path": "filename file file_name fname f obj_file",
        "face_vertices": "face_verts face_coords triangles",
        "face_attributes": "attributes features face_features face_colors textures",
        "coordinates": "uv uvs face_uvs texcoords tex_coords",
        "image": "maps map img texture_image picture",
        "values": "verts_features verts_rgb vertex_colors colors rgb",
        "texels": "atlas values",
        "transparent": "alpha has_alpha opacity alpha_mode",
        "color": "intensity ambient_color diffuse_color rgb colour",
        "specular": "specular_color",
        "leave it out: every face counts at every pixel": "faces_per_pixel bin_size "
        "max_faces_per_bin",
        "leave it out: JAX chooses the device": "device",
        "leave it out: textures are always loaded": "load_textures "
        "create_texture_atlas texture_atlas_size",
    },
}
"""Names of others by ours: first by owner, then by what to say."""
